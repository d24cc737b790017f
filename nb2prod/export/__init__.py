"""From a notebook to a script that can be trusted: preflight, magics, the percent script.

Public names: `preflight.preflight`, `models.Finding`, `models.Severity`, `findings.FINDINGS`,
`magics.MAGICS`, `magics.translate`, `script.to_script`, `script.from_script`,
`script.extract_assets`, `exporter.Nb2prodExporter`.
"""
