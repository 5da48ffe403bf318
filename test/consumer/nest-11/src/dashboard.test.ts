import { type INestApplication, Module } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { RedlockModule } from 'nestjs-exclusive';
import { RedlockDashboardModule } from 'nestjs-exclusive/dashboard';

@Module({ imports: [RedlockModule.forRoot({ nodes: 'memory' }), RedlockDashboardModule.forRoot()] })
class AppModule {}

describe('the dashboard', () => {
  let app: INestApplication;
  beforeAll(async () => {
    app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication();
    await app.listen(0, '127.0.0.1');
  });
  afterAll(() => app.close());

  it('is part of the application under test', async () => {
    const page = await fetch(`${await app.getUrl()}/jobs`);
    expect(await page.text()).toContain('<title>Jobs</title>');
  });

  it('is not part of its API', () => {
    const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(paths).toEqual({});
  });
});
