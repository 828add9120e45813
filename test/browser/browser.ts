// Debian's Chromium for tests of pages. Where it is not installed the tests say so and are skipped.
import { existsSync } from 'node:fs';
import { tempDir } from '../support/temp.ts';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';

export const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.log('not run: chromium');

/** Without these it looks for updates, and as root it does not start at all. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export interface BrowserOptions {
  readonly colorScheme?: 'light' | 'dark';
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly isMobile?: boolean;
}

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
  /** Where it keeps what it keeps. */
  readonly profile: string;
  /** A page that gathers what it complains about: script errors and violations of the content security policy. */
  open(url: string): Promise<{ readonly page: Page; readonly complaints: string[] }>;
}

/** A browser with a profile of its own, gone when disposed. */
export async function startBrowser({ colorScheme = 'light', viewport = { width: 1100, height: 800 }, isMobile = false }: BrowserOptions = {}): Promise<Browser> {
  const profile = await tempDir('gatehouse-browser-');
  const context = await chromium.launchPersistentContext(profile.path, { executablePath: EXECUTABLE, args: FLAGS, headless: true, colorScheme, viewport, ...(isMobile ? { isMobile, hasTouch: true, deviceScaleFactor: 2 } : {}) });
  context.setDefaultTimeout(120_000);
  return {
    context,
    profile: profile.path,
    async open(url) {
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`.trim()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(url);
      return { page, complaints };
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      await profile[Symbol.asyncDispose]();
    },
  };
}
