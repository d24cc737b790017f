import * as React from 'react';
import { countsText, ended, failures, statusOf } from '../entries';
import type { PipelineSession } from '../pipelineSession';
import type { SweepWatch } from '../sweepWatch';
import { StatusMark } from './statusMark';
import { SweepActions } from './sweepActions';
import { SweepTable } from './sweepTable';

/** The sweep that is watched: how far it is, its table, its page. */
export function SweepProgress(props: {
  pipeline: PipelineSession;
  watch: SweepWatch;
  publicUrl: string;
  /** Whether the person may end it, and run more of it. */
  mayRun: boolean;
}): React.JSX.Element {
  const { pipeline, watch, publicUrl } = props;
  const { item, table } = watch;
  const element = React.useRef<HTMLElement>(null);
  const isWanted = pipeline.isChosen;
  React.useEffect(() => {
    if (isWanted) {
      element.current?.scrollIntoView({ block: 'start' });
    }
  }, [isWanted]);
  const status = statusOf(item);
  return (
    <section ref={element} className="nb2prod-watched nb2prod-sweep" aria-label={`Sweep ${item.id}`}>
      <div className="nb2prod-row">
        <StatusMark status={status} />
        <span className="nb2prod-quiet">
          {item.pipeline}@v{item.version} · {item.id}
        </span>
      </div>
      <progress
        value={ended(item)}
        max={item.count}
        aria-label="Runs that have ended"
        className={`nb2prod-progress nb2prod-mod-${failures(item) > 0 ? 'failed' : status}`}
      />
      <p className="nb2prod-place-now" role="status">
        Sweep of {item.count}: {countsText(item)}
      </p>
      {props.mayRun && <SweepActions pipeline={pipeline} watch={watch} />}
      {table === null ? (
        <p className="nb2prod-quiet">Loading…</p>
      ) : (
        <SweepTable pipeline={pipeline} watch={watch} table={table} publicUrl={publicUrl} />
      )}
      <p className="nb2prod-links">
        <a href={publicUrl + item.url} target="_blank" rel="noopener">
          Open its page ↗
        </a>
        {table && <a href={publicUrl + table.csv_url}>Download as CSV</a>}
      </p>
    </section>
  );
}
