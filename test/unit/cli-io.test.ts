// How commands speak: stdout for data, stderr for talk, questions only where someone can answer, foreign text made harmless.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createIo, plain, plainLine, type GlobalOptions } from '../../host/cli/io.ts';

interface Terminal {
  readonly tty?: boolean;
  readonly answer?: string;
  readonly options?: Partial<GlobalOptions>;
}

function anIo({ tty = false, answer, options = {} }: Terminal = {}) {
  const stream = () => Object.assign(new PassThrough(), { isTTY: tty, fd: 1 });
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  if (answer !== undefined) stdin.write(`${answer}\n`);
  const io = createIo({
    streams: { stdin, stdout, stderr },
    env: {}, cwd: '/', options: () => ({ json: false, yes: false, ...options }), exitWith: () => undefined,
  });
  return { io, stdout: () => String(stdout.read() ?? ''), stderr: () => String(stderr.read() ?? '') };
}

describe('printing', () => {
  it('shows people what it renders and scripts the value itself', () => {
    const human = anIo();
    human.io.print({ n: 1 }, () => 'one');
    expect(human.stdout()).toBe('one\n');
    const script = anIo({ options: { json: true } });
    script.io.print({ n: 1 }, () => 'one');
    expect(JSON.parse(script.stdout())).toEqual({ n: 1 });
  });

  it('keeps talk off stdout', () => {
    const { io, stdout, stderr } = anIo();
    io.say('working');
    expect([stdout(), stderr()]).toEqual(['', 'working\n']);
  });

  it('colours nothing where nobody sees it', () => {
    expect(anIo().io.tone('red', 'x')).toBe('x');
    expect(anIo({ tty: true, options: { json: true } }).io.tone('red', 'x')).toBe('x');
  });
});

describe('a question', () => {
  it('is not asked with --yes', async () => {
    const { io, stderr } = anIo({ options: { yes: true } });
    await io.confirm('Sure?');
    expect(stderr()).toBe('');
  });

  it('is refused where there is no terminal', async () => {
    await expect(anIo().io.confirm('Sure?')).rejects.toMatchObject({ code: 'NOT_CONFIRMED', message: expect.stringContaining('Sure?') });
  });

  it.each(['y', 'Y', 'yes', ' YES '])('takes %j for a yes', async (answer) => {
    await expect(anIo({ tty: true, answer }).io.confirm('Sure?')).resolves.toBeUndefined();
  });

  it.each(['', 'n', 'no', 'yep', 'y n'])('takes %j for a no', async (answer) => {
    await expect(anIo({ tty: true, answer }).io.confirm('Sure?')).rejects.toMatchObject({ code: 'DECLINED' });
  });
});

describe('foreign text', () => {
  it.each([
    ['an escape sequence', 'a\u001b[2Jb'],
    ['a title change', 'a\u001b]0;x\u0007b'],
    ['an 8-bit control', 'a\u009b31mb'],
    ['a carriage return', 'a\rb'],
    ['a right-to-left override', 'a\u202eb'],
    ['an isolate', 'a\u2066b\u2069'],
    ['a zero-width space', 'a\u200bb'],
    ['a tag', 'a\u{e0041}b'],
    ['a NUL', 'a\u0000b'],
  ])('loses %s', (_name, text) => {
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(plain(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u);
    expect(plain(text)).toMatch(/^a.*b/s);
  });

  it('keeps what people write: lines, emoji, other scripts', () => {
    const text = 'Grüße\n\t日本語 👩‍👩‍👧 می‌خواهم';
    expect(plain(text)).toBe(text);
  });

  it('fits a line of a table', () => {
    expect(plainLine('a\nb\tc')).toBe('a b c');
    expect(plainLine('x'.repeat(200), 10)).toBe(`${'x'.repeat(9)}…`);
  });
});
