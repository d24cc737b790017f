/** Names by which the parts of this extension, and other extensions, find each other. */

import { Token } from '@lumino/coreutils';
import type { PanelModel } from './panelModel';

export const PLUGIN_ID = 'nb2prod-lab:plugin';
export const PANEL_ID = 'nb2prod-pipeline';

export const CommandIds = {
  promote: 'nb2prod:promote',
  showRuns: 'nb2prod:show-runs'
} as const;

/** The state behind the panel; for extensions that want to know what was promoted or run. */
export const IPipelines = new Token<PanelModel>(
  'nb2prod-lab:IPipelines',
  'What nb2prod knows of the active notebook’s pipeline.'
);
