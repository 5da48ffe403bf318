/** A job, as an instance declares it. */
export interface FleetJob {
  /** The name of the job. */
  readonly name: string;
  /** The decorated method, such as `ReportService.report`. */
  readonly declaredAs: string;
  /** The same on instances that agree on the schedule, the time zone and the options of the job. */
  readonly fingerprint: string;
}

/** An instance of the fleet, as it describes itself. */
export interface FleetInstance {
  /** Its name. */
  readonly instanceId: string;
  /** The host name of its computer. */
  readonly host: string;
  /** Its process id. */
  readonly pid: number;
  /** Its version of nestjs-exclusive. */
  readonly version: string;
  /** When it started, by its clock. */
  readonly startedAt: Date;
  /** The addresses of its nodes. */
  readonly nodes: readonly string[];
  /**
   * The largest difference between the clock of a node and that of the instance, measured when the instance started, in
   * milliseconds; `null` if it is not known.
   */
  readonly clockOffset: number | null;
  /** The jobs that it declares. */
  readonly jobs: readonly FleetJob[];
}

/** The text that an instance registers. */
export function encodeCard({ startedAt, jobs, ...card }: FleetInstance): string {
  const listed = jobs.map(({ name, declaredAs, fingerprint }) => [name, declaredAs, fingerprint]);
  return JSON.stringify({ ...card, startedAt: startedAt.getTime(), jobs: listed });
}

/** Reads what `encodeCard` returned; `undefined` for anything else, such as the entry of another version. */
export function decodeCard(text: string): FleetInstance | undefined {
  const stored = parsed(text);
  if (!isCard(stored)) return undefined;
  const { startedAt, jobs, ...card } = stored;
  const named = jobs.map(([name, declaredAs, fingerprint]) => ({ name, declaredAs, fingerprint }));
  return { ...card, startedAt: new Date(startedAt), jobs: named };
}

/** What `encodeCard` writes. */
type StoredCard = Omit<FleetInstance, 'startedAt' | 'jobs'> & {
  readonly startedAt: number;
  readonly jobs: readonly (readonly [string, string, string])[];
};

function isCard(stored: unknown): stored is StoredCard {
  const { instanceId, host, pid, version, startedAt, nodes, clockOffset, jobs } = Object(
    stored,
  ) as Partial<StoredCard>;
  const numbers = [pid, startedAt, clockOffset ?? 0];
  return (
    numbers.every((each) => typeof each === 'number') &&
    areStrings([instanceId, host, version]) &&
    areStrings(nodes) &&
    Array.isArray(jobs) &&
    jobs.every((job) => areStrings(job) && job.length === 3)
  );
}

function areStrings(values: unknown): values is readonly string[] {
  return Array.isArray(values) && values.every((each) => typeof each === 'string');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
