/** The commands that toolbar, menus and palette name. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { pipelineIcon } from './icons';
import type { PanelModel } from './panelModel';
import { CommandIds, PANEL_ID } from './tokens';

const NO_ARGUMENTS = { type: 'object', properties: {} } as const;

export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  model: PanelModel,
  palette: ICommandPalette | null
): void {
  const hasNotebook = (): boolean => tracker.currentWidget !== null;
  app.commands.addCommand(CommandIds.promote, {
    label: 'Promote to Pipeline',
    caption: 'Save this notebook, check it, and make it the next version of a pipeline',
    icon: pipelineIcon,
    describedBy: { args: NO_ARGUMENTS },
    isEnabled: hasNotebook,
    execute: async () => {
      app.shell.activateById(PANEL_ID);
      await model.promote();
    }
  });
  app.commands.addCommand(CommandIds.showRuns, {
    label: 'Show Pipeline Runs',
    caption: 'Run this notebook’s pipeline, and see its runs',
    describedBy: { args: NO_ARGUMENTS },
    isEnabled: hasNotebook,
    execute: () => {
      app.shell.activateById(PANEL_ID);
      model.showTab('run');
    }
  });
  // Whether they are enabled follows the active notebook.
  tracker.currentChanged.connect(() => {
    app.commands.notifyCommandChanged(CommandIds.promote);
    app.commands.notifyCommandChanged(CommandIds.showRuns);
  });
  for (const command of Object.values(CommandIds)) {
    palette?.addItem({ command, category: 'Notebook Operations' });
  }
}
