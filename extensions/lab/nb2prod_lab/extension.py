"""The server extension: its configuration, its routes, and the client that they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.serverapp import ServerApp
from traitlets import Float, Unicode, default
from traitlets.config import Config

from nb2prod_lab.handlers import routes
from nb2prod_lab.kernels import ProjectKernelManager
from nb2prod_lab.open_version import open_routes
from nb2prod_lab.service import WorkspaceService
from nb2prod_lab.settings import LabSettings
from nb2prod_lab.sweeps import sweep_routes


class LabExtension(ExtensionApp):
    """Promote notebooks to pipelines, run them, and open versions of them."""

    name = "nb2prod_lab"
    load_other_extensions = True

    service_url = Unicode(
        help="Address of the workspace service, prefix included. Empty: there is no workspace."
        " The default is NB2PROD_SERVICE_URL, which a spawner sets."
    ).tag(config=True)
    project = Unicode(
        help="Name of the project that this server is for. The default is NB2PROD_PROJECT."
    ).tag(config=True)
    public_url = Unicode(
        help="Scheme and host at which a browser finds the pages of the gallery. Empty, the"
        " default without NB2PROD_PUBLIC_URL: the same as this server's."
    ).tag(config=True)
    private_folder = Unicode(
        help="Folder for versions that are opened; it is `private` in the server's root. The"
        " default is NB2PROD_PRIVATE_FOLDER."
    ).tag(config=True)
    timeout_s = Float(
        LabSettings.timeout_s,
        help="How long the workspace service may take for an answer, in seconds. The default is"
        " ten times what the check of a large notebook takes.",
    ).tag(config=True)

    @default("service_url")
    def _default_service_url(self) -> str:
        return LabSettings.from_environment().service_url

    @default("project")
    def _default_project(self) -> str:
        return LabSettings.from_environment().project

    @default("public_url")
    def _default_public_url(self) -> str:
        return LabSettings.from_environment().public_url

    @default("private_folder")
    def _default_private_folder(self) -> str:
        return str(LabSettings.from_environment().private_folder or "")

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Let kernels start where `ProjectKernelManager` says, unless somebody chose otherwise.

        This is where an extension may still have a say in it: the manager is made afterwards.
        """
        super()._link_jupyter_server_extension(serverapp)
        is_chosen = "kernel_manager_class" in serverapp.config.ServerApp
        if not is_chosen and not GatewayClient.instance(parent=serverapp).gateway_enabled:
            chosen = {"ServerApp": {"kernel_manager_class": ProjectKernelManager}}
            serverapp.update_config(Config(chosen))

    def initialize_handlers(self) -> None:
        """Make the client of the service, and add the routes."""
        settings = replace(
            LabSettings.from_environment(),
            service_url=self.service_url.rstrip("/"),
            project=self.project,
            public_url=self.public_url.rstrip("/"),
            private_folder=Path(self.private_folder) if self.private_folder else None,
            timeout_s=self.timeout_s,
        )
        self.service = WorkspaceService(settings)
        self.handlers.extend(routes(self.service))
        self.handlers.extend(sweep_routes(self.service))
        self.handlers.extend(open_routes(self.service))
        if not settings.has_workspace:
            self.log.info("nb2prod_lab no workspace: NB2PROD_SERVICE_URL is not set")

    async def stop_extension(self) -> None:
        """Close the connections to the service."""
        await self.service.close()
