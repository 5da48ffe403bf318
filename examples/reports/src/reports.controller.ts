import { Controller, Get, NotFoundException } from '@nestjs/common';
import { type Report, Store } from './store.js';

@Controller()
export class ReportsController {
  constructor(private readonly store: Store) {}

  @Get('reports')
  reports(): Promise<Report[]> {
    return this.store.reports();
  }

  @Get('ranking')
  async ranking(): Promise<{ tick: Date; customers: string[] }> {
    const ranking = await this.store.ranking();
    if (!ranking) throw new NotFoundException('There is no ranking yet');
    return ranking;
  }
}
