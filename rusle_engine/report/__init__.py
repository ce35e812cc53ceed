"""The page, the figures and the workbook a person reads."""
