"""Setting PDFs: a governed service of its own, with templates that text can't break out of."""
