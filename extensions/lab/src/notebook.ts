/** What is done with the notebook itself: saving it, and showing one of its cells. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ApiError } from './api';

/**
 * Save a notebook, so that what is checked is what the person sees.
 *
 * Rejects with an `ApiError` that says why it can't be saved. A notebook without changes is
 * left alone: a viewer may look at one that they can't write.
 */
export async function save(panel: NotebookPanel): Promise<void> {
  const { context } = panel;
  await context.ready;
  if (!context.model.dirty) {
    return;
  }
  const name = `“${panel.title.label}”`;
  if (context.contentsModel?.writable === false || context.model.readOnly) {
    throw new ApiError(
      'notebook_read_only',
      `${name} has changes, but you can’t write to it. Save it as a copy in your private folder.`
    );
  }
  try {
    await context.save();
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new ApiError('notebook_not_saved', `${name} could not be saved. ${why}`.trim());
  }
}

/**
 * What of a notebook the check looks at: sources, tags, order of execution, kernel.
 *
 * The rest changes by itself: a kernel that starts writes its version into the metadata.
 */
export function contentOf(panel: NotebookPanel): string {
  const { model } = panel.content;
  const cells = Array.from(model?.cells ?? [], ({ id, type, sharedModel }) => [
    id,
    type,
    sharedModel.getSource(),
    sharedModel.getMetadata('tags') ?? [],
    'execution_count' in sharedModel ? sharedModel.execution_count : null
  ]);
  return JSON.stringify([panel.context.model.getMetadata('kernelspec') ?? null, cells]);
}

/** Ids of all cells, in their order. */
export function cellIds(panel: NotebookPanel): string[] {
  return Array.from(panel.content.model?.cells ?? [], cell => cell.id);
}

/** Show a cell and, where a line is given, put the cursor there; false if the cell is gone. */
export async function goToCell(
  shell: JupyterFrontEnd.IShell,
  panel: NotebookPanel,
  id: string,
  line: number | null
): Promise<boolean> {
  const notebook = panel.content;
  const index = cellIds(panel).indexOf(id);
  if (index < 0) {
    return false;
  }
  shell.activateById(panel.id);
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'smart');
  const cell = notebook.widgets[index];
  await cell?.ready;
  const editor = line === null ? null : cell?.editor;
  if (editor && line !== null) {
    notebook.mode = 'edit';
    const row = Math.min(line, editor.lineCount) - 1;
    const start = { line: row, column: 0 };
    editor.setSelection({ start, end: { line: row, column: editor.getLine(row)?.length ?? 0 } });
    editor.revealPosition(start);
    editor.focus();
  } else {
    notebook.mode = 'command';
    notebook.activate();
  }
  return true;
}
