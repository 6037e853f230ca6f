"""Every kernel on every device against the float64 oracle: `cases` is the table, `execute` runs it,
`compare` judges.
"""
