import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Api } from './api';
import { addCommands } from './commands';
import { PanelModel } from './panelModel';
import { IPipelines, PANEL_ID, PLUGIN_ID } from './tokens';
import { PipelinePanel } from './views/panel';

/** Promote the active notebook to a pipeline, and run it. */
const plugin: JupyterFrontEndPlugin<PanelModel> = {
  id: PLUGIN_ID,
  description: 'Promotes notebooks to pipelines, and runs them.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ILayoutRestorer],
  provides: IPipelines,
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ): PanelModel => {
    const { contents, serverSettings } = app.serviceManager;
    const model = new PanelModel(new Api(serverSettings), app.shell, tracker, contents);
    const panel = new PipelinePanel(model);
    app.shell.add(panel, 'right', { rank: 900, type: 'Pipeline' });
    restorer?.add(panel, PANEL_ID);
    addCommands(app, tracker, model, palette);
    return model;
  }
};

export default plugin;
