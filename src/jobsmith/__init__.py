"""The job-application pipeline: posting and CV in; tailored CV, letter and PDF out. Governed like any other."""
