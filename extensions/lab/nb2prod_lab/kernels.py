"""Where kernels start: a person's own notebooks see the project's files as the shared ones do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.utils import to_os_path
from traitlets import Unicode, default

from nb2prod_lab.settings import PRIVATE, LabSettings


class ProjectKernelManager(AsyncMappingKernelManager):
    """Starts kernels of notebooks below ``private`` in the project's folder.

    ``data/flights.parquet`` then means the same in a copy of a notebook as in the project, and
    as in a run of the version that is made from it.
    """

    project_folder = Unicode(
        help="Folder in which kernels of notebooks below `private` start. The default is"
        " NB2PROD_PROJECT_FOLDER; empty, they start beside the notebook, as in any Jupyter."
    ).tag(config=True)

    @default("project_folder")
    def _default_project_folder(self) -> str:
        return str(LabSettings.from_environment().project_folder or "")

    def cwd_for_path(self, path: str, **kwargs: Any) -> str:
        """Return the folder in which the kernel for a path of the contents API starts.

        For a notebook's own path it is the notebook's folder: Jupyter makes its full name of it.
        """
        is_private = path.strip("/").split("/")[0] == PRIVATE
        if self.project_folder and is_private and Path(to_os_path(path, self.root_dir)).is_dir():
            return str(self.project_folder)
        return str(super().cwd_for_path(path, **kwargs))
