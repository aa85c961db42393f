"""Documents made of figures: table, CSV, XLSX, JSON."""
