"""What a new version consists of: script, manifest, lock, assets, and the project's own modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nb2prod.export.assets import extract_assets
from nb2prod.export.dependencies import direct_dependencies, imported_modules
from nb2prod.export.models import Finding
from nb2prod.export.notebook_script import script_of
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.coverage import Coverage
from nb2prod.registry.declaration import find_declaration
from nb2prod.registry.findings import local_package_findings, module_findings
from nb2prod.registry.local_modules import LocalModules, find_local_modules
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.locking import lock_environment
from nb2prod.registry.manifest import LOCK_FILE, MANIFEST_FILE, write_manifest
from nb2prod.registry.models import EnvironmentLock, Manifest, RunSettings
from nb2prod.registry.project_files import NotedFiles, ProjectFiles
from nb2prod.registry.stored import PIPELINES_FOLDER, module_path, script_path


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a version is made of.

    Parameters
    ----------
    path
        Where the notebook lies; see `nb2prod.registry.versions.propose_content`.
    directory
        The working directory of its runs, relative to the project's folder.
    files
        The project's; `None` where they can't be read here.
    former
        Locks of the project's versions; see `nb2prod.registry.locking.lock_environment`.
    """

    pipeline: str
    notebook: Notebook
    path: str
    directory: str
    parameters: tuple[Parameter, ...]
    run: RunSettings
    observed: ObservedEnvironment
    files: ProjectFiles | None
    former: Iterable[EnvironmentLock]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A version's files by their path in the repository, its manifest, and what was found."""

    manifest: Manifest
    files: Mapping[str, bytes]
    findings: tuple[Finding, ...] = field(default=())


def make_contents(material: Material) -> Contents:
    """Make a version's files; reads the project's, and may ask a package index."""
    modules = LocalModules()
    # The static checks, and what a lock of Python packages covers, are Python's.
    notebook = _exported(material.notebook)
    is_python = notebook.language == "python"
    if is_python and material.files is not None:
        modules = _local_modules(notebook, material.files, material.directory, material.observed)
    # What a project declares is an environment for Python.
    locking = lock_environment(
        material.files if is_python else None,
        material.directory,
        material.observed,
        material.former,
    )
    findings = [*locking.findings, *module_findings(modules)]
    if is_python:
        coverage = Coverage(
            notebook=notebook,
            modules=modules,
            lock=locking.lock,
            observed=material.observed,
            knows_project=material.files is not None,
        )
        findings += coverage.findings()
        findings += local_package_findings(
            material.observed, _dependencies(notebook, material.observed)
        )
    manifest = _manifest(material, locking.lock, modules)
    return Contents(
        manifest=manifest,
        files=_files(material, manifest, locking.lock, modules),
        findings=tuple(findings),
    )


def needed_files(notebook: Notebook, files: ProjectFiles, directory: str) -> dict[str, bytes]:
    """Return what of a project's files a promotion of a notebook reads, by path.

    So that it can be done where the project's files are not, as in a workspace elsewhere. Folders
    in a kernel's ``sys.path``, of which only its machine knows, are left out.
    """
    noted = NotedFiles(files=files)
    nothing = ObservedEnvironment(
        lock=EnvironmentLock(text="", python="", is_observed=True), distributions={}, local=()
    )
    if notebook.language == "python":
        _local_modules(_exported(notebook), noted, directory, nothing)
    # What declares the environment is read, and nothing locked.
    find_declaration(noted, directory)
    return dict(noted.noted)


def _exported(notebook: Notebook) -> Notebook:
    """Leave out the cells that the script leaves out."""
    return replace(notebook, cells=tuple(cell for cell in notebook.cells if not cell.is_left_out))


def _local_modules(
    notebook: Notebook, files: ProjectFiles, directory: str, observed: ObservedEnvironment
) -> LocalModules:
    return find_local_modules(
        notebook,
        files,
        directory=directory,
        installed=observed.distributions.keys(),
        more_folders=_within(files.root, observed.folders),
    )


def _within(root: Path | None, folders: Iterable[str]) -> tuple[str, ...]:
    """Return those of some folders that lie in the project's, relative to it."""
    if root is None:
        return ()
    resolved = root.resolve()
    paths = [Path(folder) for folder in folders]
    return tuple(
        path.relative_to(resolved).as_posix() for path in paths if path.is_relative_to(resolved)
    )


def _dependencies(notebook: Notebook, observed: ObservedEnvironment) -> set[str]:
    imported = imported_modules(cell.source for cell in notebook.code_cells)
    # An editable package doesn't say which modules it has; most are named as it is.
    return {
        *direct_dependencies(imported, observed.distributions),
        *(module.partition(".")[0] for module in imported),
    }


def _manifest(material: Material, lock: EnvironmentLock, modules: LocalModules) -> Manifest:
    notebook = material.notebook
    ours: Any = notebook.metadata.get("nb2prod")
    said = ours if isinstance(ours, Mapping) else {}
    main, lower = said.get("main_metric"), said.get("lower_is_better")
    return Manifest(
        title=notebook.title,
        kernel_name=notebook.kernel_name,
        kernel_display_name=notebook.kernel_display_name,
        language=notebook.language,
        notebook=material.path,
        directory=material.directory,
        parameters=material.parameters,
        python=lock.python,
        lock_is_observed=lock.is_observed,
        main_metric=main if isinstance(main, str) and main else None,
        lower_is_better=lower if isinstance(lower, bool) and main else None,
        run=material.run,
        declared_in=lock.declared_in,
        declaration=lock.declaration,
        modules=modules.kept,
    )


def _files(
    material: Material, manifest: Manifest, lock: EnvironmentLock, modules: LocalModules
) -> dict[str, bytes]:
    plain, assets = extract_assets(material.notebook)
    script = script_of(
        plain,
        manifest.parameters,
        distributions=material.observed.distributions,
        has_modules=bool(modules.kept),
    )
    folder = f"{PIPELINES_FOLDER}/{material.pipeline}"
    return {
        script_path(material.pipeline, manifest.language): script.encode(),
        f"{folder}/{MANIFEST_FILE}": write_manifest(manifest).encode(),
        f"{folder}/{LOCK_FILE}": lock.text.encode(),
        **{f"{folder}/{path}": content for path, content in assets.items()},
        **{f"{folder}/{module_path(path)}": modules.contents[path] for path in modules.contents},
    }
