/** What a person is asked before something large begins or ends. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { missing, runsText } from './entries';
import type { PipelineSession } from './pipelineSession';
import type { SweepWatch } from './sweepWatch';

/** More runs than this are started only after a question. */
export const MANY_RUNS = 50;

/** Start what the form says. */
export async function start(pipeline: PipelineSession): Promise<void> {
  const { form } = pipeline;
  const count = form.isSweep ? (form.preview?.count ?? 0) : 1;
  const reference = form.version?.reference ?? '';
  if (await isWanted(count, `The sweep runs ${reference} ${count.toLocaleString('en')} times.`)) {
    await pipeline.start();
  }
}

/** Run what of a sweep has no result. */
export async function resume(pipeline: PipelineSession, sweep: SweepWatch): Promise<void> {
  const count = missing(sweep.item);
  if (await isWanted(count, `${runsText(count)} of the sweep have no result and are run again.`)) {
    await pipeline.change(() => sweep.resume());
  }
}

/** End all runs of a sweep. */
export async function cancelAll(pipeline: PipelineSession, sweep: SweepWatch): Promise<void> {
  const { running = 0, queued = 0 } = sweep.item.counts;
  const answer = await showDialog({
    title: `Cancel the sweep of ${sweep.item.count}?`,
    body: `${running} running and ${queued} queued runs end. What has ended already stays.`,
    buttons: [
      Dialog.cancelButton({ label: 'Let it go on' }),
      Dialog.warnButton({ label: 'Cancel all' })
    ]
  });
  if (answer.button.accept) {
    await pipeline.change(() => sweep.cancel());
  }
}

async function isWanted(count: number, body: string): Promise<boolean> {
  if (count <= MANY_RUNS) {
    return true;
  }
  const start = runsText(count);
  const answer = await showDialog({
    title: `Start ${start}?`,
    body,
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: `Start ${start}` })]
  });
  return answer.button.accept;
}
