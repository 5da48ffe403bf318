import { Inject, Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Exclusive } from 'nestjs-exclusive';

@Injectable()
export class Reports {
  constructor(@Inject('note') private readonly note: (job: string) => Promise<void>) {}

  @Cron('* * * * * *')
  @Exclusive('report')
  async report(): Promise<void> {
    await this.note('report');
  }
}
