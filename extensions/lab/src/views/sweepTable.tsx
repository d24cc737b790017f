import * as React from 'react';
import type { Sweep, SweepRow } from '../models';
import type { PipelineSession } from '../pipelineSession';
import { statusText } from '../progress';
import { columnsOf, metricsLeftOut, sortedBy, type Column } from '../sweepColumns';
import type { SweepWatch } from '../sweepWatch';
import { StatusMark } from './statusMark';

interface TableProps {
  pipeline: PipelineSession;
  watch: SweepWatch;
  table: Sweep;
  publicUrl: string;
}

/** Parameters × metrics × status of a sweep's runs; a click on a title sorts. */
export function SweepTable(props: TableProps): React.JSX.Element {
  const { table } = props;
  const columns = columnsOf(table);
  const leftOut = metricsLeftOut(table);
  return (
    <>
      <div className="nb2prod-table" role="region" aria-label="Runs of the sweep" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <Title {...props} sort="position" title="Run" />
              <Title {...props} sort="status" title="Status" />
              {columns.map(column => (
                <Title key={column.sort} {...props} {...column} />
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map(row => (
              <Row key={row.position} {...props} row={row} columns={columns} />
            ))}
          </tbody>
        </table>
      </div>
      {leftOut > 0 && <p className="nb2prod-quiet">Its page shows {leftOut} more metrics.</p>}
      <Pages {...props} />
    </>
  );
}

const ARIA_ORDER = { asc: 'ascending', desc: 'descending' } as const;
const SIGNS = { asc: ' ▲', desc: ' ▼' } as const;

function Title(
  props: TableProps & { sort: string; title: string; isNumber?: boolean }
): React.JSX.Element {
  const { pipeline, watch, sort } = props;
  const { view } = watch;
  const order = view.sort === sort ? view.order : null;
  return (
    <th
      scope="col"
      aria-sort={order === null ? 'none' : ARIA_ORDER[order]}
      className={props.isNumber === true ? 'nb2prod-mod-number' : undefined}
    >
      <button
        type="button"
        title={`Sort by ${props.title}`}
        onClick={() => void pipeline.change(() => watch.show(sortedBy(view, sort)))}
      >
        {props.title}
        <span aria-hidden="true">{order === null ? '' : SIGNS[order]}</span>
      </button>
    </th>
  );
}

function Row(props: TableProps & { row: SweepRow; columns: readonly Column[] }): React.JSX.Element {
  const { row, pipeline } = props;
  const isWatched = row.run_id !== null && row.run_id === pipeline.run?.run.id;
  return (
    <tr className={isWatched ? 'nb2prod-mod-watched' : undefined}>
      <th scope="row">
        <RunButton {...props} isWatched={isWatched} />
      </th>
      <td title={row.reason || statusText(row.status)}>
        <StatusMark status={row.status} />
        {row.page && (
          <a
            href={props.publicUrl + row.page}
            target="_blank"
            rel="noopener"
            title="Open its page"
            aria-label={`Open the page of run ${row.position}`}
          >
            {' '}
            ↗
          </a>
        )}
      </td>
      {props.columns.map(column => (
        <td key={column.sort} className={column.isNumber ? 'nb2prod-mod-number' : undefined}>
          {column.text(row)}
        </td>
      ))}
    </tr>
  );
}

function RunButton(props: TableProps & { row: SweepRow; isWatched: boolean }): React.JSX.Element {
  const { row, pipeline } = props;
  const { run_id } = row;
  return (
    <>
      {run_id === null ? (
        row.position
      ) : (
        <button
          type="button"
          title="Show its progress and log"
          aria-label={`Show run ${row.position}`}
          aria-pressed={props.isWatched}
          onClick={() => void pipeline.watchRunOfSweep(run_id)}
        >
          {row.position}
        </button>
      )}
      {row.is_best && (
        <span role="img" aria-label="Best" title="The best of them">
          {' '}
          ★
        </span>
      )}
    </>
  );
}

function Pages(props: TableProps): React.JSX.Element | null {
  const { pipeline, watch, table } = props;
  const { offset, limit, total } = table;
  if (total <= limit) {
    return null;
  }
  const show = (place: number): void =>
    void pipeline.change(() => watch.show({ ...watch.view, offset: Math.max(0, place) }));
  return (
    <div className="nb2prod-actions">
      <button
        type="button"
        className="nb2prod-button"
        disabled={offset === 0}
        onClick={() => show(offset - limit)}
      >
        Before
      </button>
      <span className="nb2prod-quiet">
        {offset + 1} to {Math.min(offset + limit, total)} of {total}
      </span>
      <button
        type="button"
        className="nb2prod-button"
        disabled={offset + limit >= total}
        onClick={() => show(offset + limit)}
      >
        Next
      </button>
    </div>
  );
}
