"""Reading a notebook: its cells, its typed parameters, and which cell needs which.

Public names: `models.Notebook`, `models.Cell`, `reading.read_notebook`,
`reading.parse_notebook`, `reading.to_node`, `parameters.Parameter`,
`parameters.ParameterType`, `parameters.find_parameters`, `parameters.read_values`,
`parameters.to_source`, `languages.LANGUAGES`, `dataflow.cell_names`, `dataflow.CellNames`.
"""
