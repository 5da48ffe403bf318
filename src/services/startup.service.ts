import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ExclusiveJobs } from './exclusive-jobs.service.js';
import { NodeInspection } from './node-inspection.service.js';

/**
 * At start: the jobs are checked, then the nodes are opened. In this order, as Nest closes nothing of an application
 * that did not start.
 */
@Injectable()
export class Startup implements OnModuleInit {
  constructor(
    private readonly jobs: ExclusiveJobs,
    private readonly nodes: NodeInspection,
  ) {}

  /** @throws InvalidOptionError for a wrong job, and for nodes that cannot be a quorum. */
  async onModuleInit(): Promise<void> {
    this.jobs.check();
    await this.nodes.open();
  }
}
