/** What a run asks a node for. A release undoes a claim that is not used. */
export type Step = 'claim' | 'extend' | 'settle' | 'release';

/** What shows that a server no longer refuses: any answer, a command that has written, or the step that it refused. */
export type EndOfRefusal = 'answer' | 'write' | Step;

/** What a server has done to answer. */
export interface Done {
  /** The step whose script has run; omitted if none has. */
  readonly step?: Step;
  /** Whether it has written something. */
  readonly wrote: boolean;
}

/** If a server has not refused for this long, in milliseconds, the refusal can end without a write. */
const QUIET = 60_000;

/** The steps by what they need, least first: a user who may not settle may still be allowed to claim and to release. */
const STEPS: readonly Step[] = ['release', 'extend', 'claim', 'settle'];

/** A server answers, and refuses to vote. */
export class Refusal {
  private readonly at = performance.now();

  private constructor(private readonly endsWith: EndOfRefusal) {}

  /**
   * @param before The refusal that has not ended yet. If two steps were refused, the refusal ends when the one that
   * needs more is carried out.
   */
  static of(endsWith: EndOfRefusal, before?: Refusal): Refusal {
    const ends = before?.endsWith;
    const isOfLess = isStep(endsWith) && isStep(ends) && STEPS.indexOf(endsWith) < STEPS.indexOf(ends);
    return new Refusal(isOfLess ? ends : endsWith);
  }

  /** Whether it is about one of the scripts, such as a missing permission. */
  get isOfScript(): boolean {
    return isStep(this.endsWith);
  }

  /** Whether this answer shows that it is over. */
  isOverAfter({ step, wrote }: Done): boolean {
    const { endsWith } = this;
    const isQuiet = performance.now() - this.at > QUIET;
    if (!isStep(endsWith)) return endsWith === 'answer' || wrote || isQuiet;
    // A settle also ends the refusal of an extension or a release: not every run extends or releases, so those may not
    // come.
    if (step === 'settle' && wrote && endsWith !== 'claim') return true;
    // A lock alone is claimed without a script; that does not show that the script would run.
    if (step === undefined) return endsWith === 'claim' && isQuiet;
    return step === endsWith && (wrote || step === 'release' || isQuiet);
  }
}

/** Whether a refusal is about one of the scripts. */
export function isStep(ends: EndOfRefusal | undefined): ends is Step {
  return ends !== undefined && ends !== 'answer' && ends !== 'write';
}
