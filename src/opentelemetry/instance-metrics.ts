import { type BatchObservableCallback, metrics } from '@opentelemetry/api';
import type { KnownJob } from '../services/known-jobs.service.js';
import type { LeaseRegistry } from '../services/lease-registry.service.js';
import type { NodeHealthWatch } from '../services/node-health-watch.service.js';
import { VERSION } from '../version.js';
import { JOB, type LabelOf } from './job-attributes.js';
import type { LastSuccesses } from './last-successes.js';

/** The state of this instance, as often as a reader of the metrics asks for it. */
export class InstanceMetrics {
  private readonly meter = metrics.getMeter('nestjs-exclusive', VERSION);
  private readonly sinceSuccess = this.meter.createObservableGauge('nestjs_exclusive.since_last_success', {
    description:
      'Time since a scheduled job last succeeded, as far as this instance knows: take the minimum over all instances.',
    unit: 's',
  });
  private readonly heldLeases = this.meter.createObservableUpDownCounter('nestjs_exclusive.held_leases', {
    description: 'Leases that this instance holds, of runs and of locks.',
    unit: '{lease}',
  });
  private readonly nodeUp = this.meter.createObservableGauge('nestjs_exclusive.node.up', {
    description: 'Whether the node votes, as far as its last answer tells: 1 or 0.',
  });
  private readonly nodeLatency = this.meter.createObservableGauge('nestjs_exclusive.node.latency', {
    description: 'How long the last answer of the node took.',
    unit: 's',
  });
  private readonly instruments = [this.sinceSuccess, this.heldLeases, this.nodeUp, this.nodeLatency];

  constructor(
    private readonly labelOf: LabelOf,
    private readonly successes: LastSuccesses,
    private readonly leases: readonly LeaseRegistry[],
    private readonly nodes: NodeHealthWatch,
  ) {
    this.meter.addBatchObservableCallback(this.observe, this.instruments);
  }

  stop(): void {
    this.meter.removeBatchObservableCallback(this.observe, this.instruments);
  }

  private readonly observe: BatchObservableCallback = async (result) => {
    // The nodes are asked every ten seconds anyway.
    for (const { address, votes, latency } of this.nodes.all) {
      const attributes = { 'node.address': address };
      result.observe(this.nodeUp, votes ? 1 : 0, attributes);
      if (latency !== null) result.observe(this.nodeLatency, latency / 1000, attributes);
    }
    result.observe(
      this.heldLeases,
      this.leases.reduce((sum, { size }) => sum + size, 0),
    );
    // Jobs that share a label have different ages, so none of them is reported.
    const isShown = (job: KnownJob): boolean => this.labelOf(job) === job.name;
    for (const { job, seconds } of await this.successes.ages(isShown)) {
      result.observe(this.sinceSuccess, seconds, { [JOB.name]: job.name });
    }
  };
}
