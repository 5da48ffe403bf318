import { BadRequestException, Body, Controller, Post } from '@nestjs/common';
import { Store } from './store.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly store: Store) {}

  @Post()
  async add(@Body() order?: { customer?: unknown; amount?: unknown }): Promise<void> {
    const { customer, amount } = order ?? {};
    if (typeof customer !== 'string' || customer === '') {
      throw new BadRequestException('customer must be a non-empty string');
    }
    if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount <= 0) {
      throw new BadRequestException('amount must be a whole number of cents, at least 1');
    }
    await this.store.addOrder(customer, amount);
  }
}
