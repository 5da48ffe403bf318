import { type JobRow, rowOf } from '../model/job-row.js';
import { absolute, due, duration, percent, relative, schedule, short } from '../model/words.js';
import { Actions } from '../parts/actions.js';
import { Badges } from '../parts/badges.js';
import { DurationPlot } from '../parts/duration-plot.js';
import { Declarations, OptionTable, Preview } from '../parts/job-facts.js';
import { RunTable } from '../parts/run-table.js';
import { Scrolled } from '../parts/scrolled.js';
import { LABELS, Legend, Shape } from '../parts/shapes.js';
import { Relative } from '../parts/time.js';
import { Timeline } from '../parts/timeline.js';
import { Unrecorded } from '../parts/unrecorded.js';
import { useAnswer } from '../parts/use-answer.js';
import { fetchJob } from '../server-api.js';
import { now, overview, rows } from '../state.js';

export function JobPage({ name }: { name: string }) {
  const { answer, error, renew } = useAnswer(() => fetchJob(name), name);
  const row = rows.value.get(name) ?? (answer && rowOf(answer.job, answer.readAt));
  const pending = <p class="empty">{error ? error.message : 'Loading …'}</p>;
  if (!row) return <main>{pending}</main>;
  const { statistics, job } = row;
  const { words, zone } = schedule(job.schedule);
  return (
    <main class="job-page">
      <div class="headline">
        <div>
          <h1>
            <span class="name">{name}</span> <Badges row={row} />
          </h1>
          <p class="muted">
            {words}
            {job.schedule.kind === 'cron' && (
              <>
                {' · '}
                <code>{job.schedule.expression}</code>
                {' · '}
                {zone || 'in the time zone of each process'}
              </>
            )}
          </p>
        </div>
        {overview.value?.actions && !job.isPattern && <Actions row={row} onDone={() => void renew()} />}
      </div>
      <PauseNote row={row} />
      <Figures row={row} />
      <section aria-labelledby="ticks">
        <h2 id="ticks">Ticks</h2>
        <Timeline rows={[row]} initial={spanOf(row)} isNamed={false} />
        <Legend />
      </section>
      <section aria-labelledby="durations">
        <h2 id="durations">Durations</h2>
        <DurationPlot marks={row.marks} p95={statistics.p95} />
      </section>
      <section aria-labelledby="runs">
        <h2 id="runs">Runs on record</h2>
        {answer ? (
          <Scrolled labelledBy="runs">
            <RunTable records={answer.records} />
          </Scrolled>
        ) : (
          pending
        )}
      </section>
      <div class="facts">
        <section aria-labelledby="upcoming">
          <h2 id="upcoming">Next ticks</h2>
          <Scrolled labelledBy="upcoming">
            {answer ? <Preview ticks={answer.preview} info={job.schedule} /> : pending}
          </Scrolled>
        </section>
        <section aria-labelledby="options">
          <h2 id="options">Options in force</h2>
          <Scrolled labelledBy="options">
            <OptionTable options={job.options} />
          </Scrolled>
        </section>
      </div>
      <section aria-labelledby="instances">
        <h2 id="instances">On each instance</h2>
        <Scrolled labelledBy="instances">
          {answer?.declarations ? <Declarations declarations={answer.declarations} /> : pending}
        </Scrolled>
      </section>
    </main>
  );
}

/** From the oldest of the 30 newest runs to a little in the future. */
function spanOf({ marks, next }: JobRow) {
  const recent = marks.filter(({ begin }) => begin !== undefined).slice(-30);
  const length = Math.max(60_000, now.peek() - (recent[0]?.at ?? now.peek()));
  return { length: Math.max(length * 1.1, next === null ? 0 : (next - now.peek()) * 3), ahead: 0.15 };
}

function PauseNote({ row: { job } }: { row: JobRow }) {
  const paused = job.status?.paused;
  if (!paused) return null;
  const at = Date.parse(paused.at);
  return (
    <p class="pause-note">
      <Shape kind="paused" /> Paused <Relative at={at} /> by {paused.by}
      {paused.until ? <> until {absolute(Date.parse(paused.until))}</> : ' until it is resumed'}
      {paused.note && (
        <>
          : <q>{paused.note}</q>
        </>
      )}
    </p>
  );
}

function Figures({ row }: { row: JobRow }) {
  const { statistics, last, next, job } = row;
  const { successRate, p95, missed, runs } = statistics;
  const running = job.status?.running;
  // If runs may overlap, no lock tells which are in progress.
  const idle = job.status && job.options?.overlap !== 'allow' ? 'no' : 'not known';
  const figures = [
    [
      'Next tick',
      job.status?.paused ? 'paused' : next === null ? '–' : due(next, now.value),
      next === null ? '' : short(next),
    ],
    [
      'Last run',
      last ? relative(last.begin, now.value) : <Unrecorded row={row} />,
      last ? `${LABELS[last.kind].toLowerCase()} on ${last.instance}` : '',
    ],
    [
      'Running',
      running ? duration(Math.max(0, now.value - Date.parse(running.startedAt))) : idle,
      running ? `on ${running.instanceId}` : '',
    ],
    ['Success', successRate === null ? '–' : percent(successRate), `of ${runs} runs`],
    ['p95', p95 === null ? '–' : duration(p95), 'duration'],
    ['Missed', String(missed), 'of the known ticks'],
  ] as const;
  return (
    <dl class="figures">
      {figures.map(([what, value, more]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>{value}</dd>
          <dd class="more" title={more}>
            {more}
          </dd>
        </div>
      ))}
    </dl>
  );
}
