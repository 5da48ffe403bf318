import { absolute, relative } from './model/words.js';
import { FleetPage } from './pages/fleet.js';
import { JobPage } from './pages/job.js';
import { OverviewPage } from './pages/overview.js';
import { TimelinePage } from './pages/timeline.js';
import { failure, now, overview, route, routedJob } from './state.js';

const PAGES = [
  ['', 'Jobs'],
  ['timeline', 'Timeline'],
  ['fleet', 'Fleet'],
] as const;

export function App() {
  return (
    <>
      <header>
        <a class="brand" href="#/" aria-label="Jobs overview">
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path class="rail" d="M3 6h18M3 12h18M3 18h18" />
            <circle class="ran" cx="6" cy="6" r="2.6" />
            <circle class="ran" cx="13" cy="12" r="2.6" />
            <circle class="failed" cx="18" cy="18" r="2.6" />
          </svg>
        </a>
        <nav aria-label="Pages">
          {PAGES.map(([path, title]) => (
            <a key={path} href={`#/${path}`} aria-current={isAt(path) ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <Liveness />
      </header>
      <Trouble />
      <Page />
    </>
  );
}

const isAt = (path: string): boolean =>
  route.value === path || (path === '' && routedJob.value !== undefined);

function Page() {
  const name = routedJob.value;
  if (name !== undefined) return <JobPage key={name} name={name} />;
  if (route.value === 'timeline') return <TimelinePage />;
  return route.value === 'fleet' ? <FleetPage /> : <OverviewPage />;
}

function Liveness() {
  const isLive =
    failure.value === undefined && overview.value !== undefined && overview.value.trouble === null;
  return (
    <span class={`liveness ${isLive ? 'live' : ''}`} title={overview.value && absolute(overview.value.now)}>
      {isLive ? 'Live' : 'Not live'}
    </span>
  );
}

/** What the page shows may be old: says so, and since when. */
function Trouble() {
  const trouble = overview.value?.trouble;
  return (
    <div role="status" class="troubles">
      {failure.value && (
        <p class="trouble">
          <b>{failure.value.message}</b> No newer data since {absolute(failure.value.since)}. The page keeps
          asking.
        </p>
      )}
      {trouble && (
        <p class="trouble">
          <b>No node has answered</b> since {absolute(trouble.since)} ({relative(trouble.since, now.value)}).
          What you see is what was known then. <small>{trouble.message}</small>
        </p>
      )}
    </div>
  );
}
