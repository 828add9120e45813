// The small parts of every view: buttons, times, refusals, empty lists, things that are on their way.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../core/api.ts';
import { ago, brief, moment } from '../core/format.ts';
import { Icon, type IconName } from './icon.tsx';

export interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly kind?: 'primary' | 'danger' | 'danger solid' | 'plain' | 'normal';
  readonly icon?: IconName;
  readonly isBusy?: boolean;
  readonly disabled?: boolean;
  readonly type?: 'button' | 'submit';
  readonly small?: boolean;
}

/** While it is busy it takes no second click, and says so. */
export function Button({ children, onClick, kind = 'normal', icon, isBusy = false, disabled = false, type = 'button', small = false }: ButtonProps) {
  return (
    <button type={type} class={`button ${kind}${small ? ' small' : ''}`} disabled={disabled} aria-busy={isBusy} aria-disabled={isBusy || undefined} onClick={(event) => { if (isBusy) event.preventDefault(); else onClick?.(); }}>
      {isBusy ? <Icon name="refresh" /> : icon ? <Icon name={icon} /> : null}
      {children}
    </button>
  );
}

export function IconButton({ icon, label, onClick }: { readonly icon: IconName; readonly label: string; readonly onClick: () => void }) {
  return <button type="button" class="button plain square" aria-label={label} title={label} onClick={onClick}><Icon name={icon} /></button>;
}

/** A moment as it is said, with the whole of it behind. */
export function Time({ at }: { readonly at: string }) {
  useTick();
  return <time dateTime={at} title={moment(at)}>{ago(at)}</time>;
}

const ticking = new Set<() => void>();
setInterval(() => {
  if (!document.hidden) for (const tick of ticking) tick();
}, 10_000);

/** Draws anew every ten seconds: times grow old while one looks. */
function useTick(): void {
  const [, setRound] = useState(0);
  useEffect(() => {
    const tick = () => setRound((before) => before + 1);
    ticking.add(tick);
    return () => {
      ticking.delete(tick);
    };
  }, []);
}

/** A digest, id or key: short to look at, whole to take along. */
export function Id({ text, keep = 8, label = 'Copy' }: { readonly text: string; readonly keep?: number; readonly label?: string }) {
  return <span class="copied"><code title={text}>{brief(text, keep)}</code><CopyButton text={text} label={label} /></span>;
}

export function CopyButton({ text, label = 'Copy' }: { readonly text: string; readonly label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    }, () => undefined);
  };
  return <button type="button" class="button plain square small" aria-label={isCopied ? 'Copied' : label} title={label} onClick={copy}><Icon name={isCopied ? 'check' : 'copy'} /></button>;
}

export function Callout({ tone, children }: { readonly tone: 'good' | 'warn' | 'bad' | 'info'; readonly children: ComponentChildren }) {
  const icon = { good: 'check', warn: 'warn', bad: 'cross', info: 'info' } as const;
  return <div class={`callout ${tone}`}><Icon name={icon[tone]} /><div>{children}</div></div>;
}

/** What the host said no with: in its own words, with its code, and a way to ask again. */
export function Refusal({ error, onRetry }: { readonly error: ApiError; readonly onRetry?: () => void }) {
  return (
    <div role="alert">
      <Callout tone="bad">
        <strong>{error.title}</strong>
        <p>{error.message}</p>
        <p class="code"><code>{error.code}</code>{error.retryAfterMs === undefined ? '' : ` · try again in ${Math.ceil(error.retryAfterMs / 1000)} s`}</p>
        {onRetry ? <p class="code"><Button small icon="refresh" onClick={onRetry}>Try again</Button></p> : null}
      </Callout>
    </div>
  );
}

export function Empty({ icon, title, children }: { readonly icon: IconName; readonly title: string; readonly children?: ComponentChildren }) {
  return <div class="empty"><Icon name={icon} /><p>{title}</p>{children ? <p>{children}</p> : null}</div>;
}

/** What is on its way, in about its shape. */
export function Skeleton({ lines = 3, label = 'Loading' }: { readonly lines?: number; readonly label?: string }) {
  return (
    <div class="skeletons" role="status">
      <span class="unseen">{label}…</span>
      {Array.from({ length: lines }, (_, index) => <span key={index} class="skeleton" style={{ width: `${90 - ((index * 37) % 50)}%`, marginBottom: '12px' }} />)}
    </div>
  );
}

export function Panel({ title, hint, actions, flush = false, children }: { readonly title: string; readonly hint?: ComponentChildren; readonly actions?: ComponentChildren; readonly flush?: boolean; readonly children: ComponentChildren }) {
  return (
    <section class="panel" aria-label={title}>
      <header><h2>{title}</h2>{hint ? <span class="hint">{hint}</span> : null}{actions}</header>
      <div class={flush ? 'body flush' : 'body'}>{children}</div>
    </section>
  );
}

/** Text as it is, which scrolls when it is long, by keyboard too. */
export function Block({ label, text }: { readonly label: string; readonly text: string }) {
  return <pre class="block" role="region" aria-label={label} tabIndex={0}>{text}</pre>;
}

/** Names and what they come to; pairs without a value are left out. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ComponentChildren])[] }) {
  return <dl class="facts">{of.filter(([, value]) => value !== undefined && value !== null && value !== '').flatMap(([name, value]) => [<dt key={`${name} t`}>{name}</dt>, <dd key={`${name} d`}>{value}</dd>])}</dl>;
}

/** The heading of a view. It takes the focus when the view is opened, so that a screen reader begins there. */
export function Heading({ title, about, back, children }: { readonly title: string; readonly about?: ComponentChildren; readonly back?: { readonly href: string; readonly name: string }; readonly children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Gatehouse`;
  }, [title]);
  return (
    <header>
      <div class="titles">
        {back ? <a class="crumb" href={back.href}><Icon name="back" />{back.name}</a> : null}
        <h1 tabIndex={-1} id="title">{title}</h1>
        {about ? <p>{about}</p> : null}
      </div>
      {children ? <div class="actions">{children}</div> : null}
    </header>
  );
}
