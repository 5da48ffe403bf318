import 'reflect-metadata';
import { Cron } from '@nestjs/schedule';
import { Exclusive } from 'nestjs-exclusive';

export class Jobs {
  @Cron('* * * * * *')
  @Exclusive('report')
  report(): void {}
}
