// The page at /docs: it and everything it asks for come from the host, and a real browser draws every operation under its content security policy.
import { describe, expect, it } from 'vitest';
import { startTestControl } from '../support/control-plane.ts';
import { hasChromium, startBrowser } from './browser.ts';

describe('the page at /docs', () => {
  it('comes whole from the host, to everybody, and may run nothing else', async () => {
    await using control = await startTestControl();
    const page = await control.call('GET', '/docs');
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' } });
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; /);
    expect(page.headers['content-security-policy']).not.toMatch(/unsafe|https:|\*/);
    const assets = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => String(path));
    expect(assets.filter((path) => !path.startsWith('/'))).toEqual([]);
    const types = await Promise.all(assets.map(async (path) => {
      const { status, headers } = await control.call('GET', path);
      return [path, status, headers['content-type']];
    }));
    expect(types).toEqual([
      ['/docs/swagger-ui.css', 200, 'text/css; charset=utf-8'],
      ['/docs/favicon-32x32.png', 200, 'image/png'],
      ['/docs/swagger-ui-bundle.js', 200, 'text/javascript; charset=utf-8'],
      ['/docs/page.js', 200, 'text/javascript; charset=utf-8'],
      ['/openapi.json', 200, 'application/json; charset=utf-8'],
    ]);
    for (const path of ['/docs/index.html', '/docs/../package.json', '/docs/%2e%2e/package.json', '/docs/csp.json']) expect((await control.call('GET', path)).status).not.toBe(200);
  });

  it.skipIf(!hasChromium)('shows every operation in a browser, and complains about nothing', async () => {
    await using control = await startTestControl();
    await using browser = await startBrowser();
    const { page, complaints } = await browser.open(`${control.control.address}/docs`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.reload();
    await page.locator('.opblock').first().waitFor();
    const { paths } = JSON.parse((await control.call('GET', '/openapi.json')).text) as { readonly paths: Record<string, object> };
    const operations = Object.values(paths).reduce((sum, item) => sum + Object.keys(item).filter((key) => key !== 'parameters').length, 0);
    expect(await page.locator('.opblock').count()).toBe(operations);

    const block = page.locator('.opblock', { hasText: '/plugins/{instance}/quarantine' }).first();
    await block.locator('.opblock-summary-control').click();
    await block.getByText('Needs the scope').waitFor();
    await block.getByText('TRANSITION_ILLEGAL').first().waitFor();
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !url.startsWith(control.control.address) && !url.startsWith('data:'))).toEqual([]);
  });
});
