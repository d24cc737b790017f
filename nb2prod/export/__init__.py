"""From a notebook to a script that can be trusted: preflight, magics, the percent script.

Public names: `preflight.preflight`, `models.Finding`, `models.Severity`, `findings.FINDINGS`,
`magics.MAGICS`, `notebook_script.script_of`, `notebook_script.notebook_of`, `script.to_script`,
`script.from_script`, `assets.extract_assets`, `exporter.Nb2prodExporter`.
"""
