"""What stands in the rooms: from the spreadsheets that departments have to `LegacyHost` documents.

`sheet` reads files; everything else here takes values and returns values.
"""
