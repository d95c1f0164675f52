"""What leaves for other people's tools; each format in its own module, imported where it is used."""
