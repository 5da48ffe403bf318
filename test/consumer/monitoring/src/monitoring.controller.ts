import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { RedlockService } from 'nestjs-exclusive';
import { prometheus, spans } from './telemetry.js';

@Controller()
export class MonitoringController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    private readonly redlock: RedlockService,
  ) {}

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.jobs()]);
  }

  @Get('live')
  live(): string {
    return 'ok';
  }

  @Get('metrics')
  metrics(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    prometheus.getMetricsRequestHandler(request, response);
  }

  @Get('spans')
  spans(): unknown {
    return spans
      .getFinishedSpans()
      .map(({ name, attributes, parentSpanContext }) => ({ name, attributes, parentSpanContext }));
  }

  private async jobs(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('jobs');
    const { quorum, nodes, overdue } = await this.redlock.health();
    if (quorum) return indicator.up({ overdue: overdue.map(({ name }) => name) });
    return indicator.down({ unreachable: nodes.filter(({ votes }) => !votes).map(({ address }) => address) });
  }
}
