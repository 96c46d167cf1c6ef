"""Reads an XLSX file as openpyxl sees it, every warning an error, and prints cells, links and properties as JSON."""
import json
import sys
import warnings

import openpyxl

warnings.simplefilter("error")
book = openpyxl.load_workbook(sys.argv[1])
cells = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
links = [cell.hyperlink.target for sheet in book for row in sheet.iter_rows() for cell in row if cell.hyperlink]
custom = {prop.name: str(prop.value) for prop in book.custom_doc_props.props}
properties = {name: str(getattr(book.properties, name)) for name in ("title", "creator", "keywords", "description")}
print(json.dumps({"cells": cells, "links": links, "properties": {**properties, **custom}}))
