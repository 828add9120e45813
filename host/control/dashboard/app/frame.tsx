// The frame around every view: where one can go, who one is, whether the host answers, and the keys that lead about.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useShared } from './core/context.ts';
import { to } from './core/router.ts';
import { chooseTheme, useTheme, type ThemeChoice } from './core/theme.ts';
import { Icon, Sign } from './parts/icon.tsx';
import { IconButton } from './parts/parts.tsx';
import { PLACES } from './places.ts';
import { Shortcuts, useShortcuts } from './shortcuts.tsx';

export function Frame({ place, onSignOut, children }: { readonly place: string; readonly onSignOut: () => void; readonly children: ComponentChildren }) {
  const { session, status } = useShared();
  const [isOpen, setOpen] = useState(false);
  const [isHelping, setHelping] = useState(false);
  useShortcuts({ onHelp: () => setHelping(true) });
  useEffect(() => setOpen(false), [place]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const close = (event: KeyboardEvent) => event.key === 'Escape' && setOpen(false);
    addEventListener('keydown', close);
    return () => removeEventListener('keydown', close);
  }, [isOpen]);
  const tallies = talliesOf(status.value);
  return (
    <div class="frame">
      <a class="skip" href="#title" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('#title')?.focus(); }}>Skip to content</a>
      <div class="topbar" role="region" aria-label="Top">
        <IconButton icon="menu" label="Open navigation" onClick={() => setOpen(true)} />
        <a class="brand" href={to()}><Sign />Gatehouse</a>
      </div>
      {isOpen ? <button type="button" class="scrim" aria-label="Close navigation" onClick={() => setOpen(false)} /> : null}
      <header class="side" data-open={isOpen}>
        <a class="brand" href={to()}><Sign />Gatehouse</a>
        <nav aria-label="Views">
          {PLACES.map(({ group, places }) => {
            const offered = places.filter(({ scope }) => session.may(scope));
            if (offered.length === 0) return null;
            return (
              <div key={group}>
                {group === '' ? null : <p id={`group-${group}`}>{group}</p>}
                <ul aria-labelledby={group === '' ? undefined : `group-${group}`}>
                  {offered.map(({ path, name, icon }) => {
                    const tally = tallies[path];
                    return <li key={path}><a href={to(...(path === '' ? [] : [path]))} aria-current={place === path ? 'page' : undefined} onClick={() => setOpen(false)}><Icon name={icon} />{name}{tally && tally.value > 0 ? <span class={`tally ${tally.tone}`}>{tally.value > 999 ? '999+' : tally.value}<span class="unseen"> {tally.what}</span></span> : null}</a></li>;
                  })}
                </ul>
              </div>
            );
          })}
        </nav>
        <div class="base">
          <Connection />
          <ThemeSwitch />
          <div class="who"><span title={session.self.label}>{session.self.label}</span><span class="row"><IconButton icon="help" label="Keyboard shortcuts" onClick={() => setHelping(true)} /><IconButton icon="out" label="Sign out" onClick={onSignOut} /></span></div>
        </div>
      </header>
      <main>{children}</main>
      {isHelping ? <Shortcuts onClose={() => setHelping(false)} /> : null}
    </div>
  );
}

function talliesOf(status: ReturnType<typeof useShared>['status']['value']): Readonly<Record<string, { readonly value: number; readonly tone: string; readonly what: string }>> {
  if (!status) return {};
  const { plugins, degraded, deadLetters } = status;
  return {
    'dead-letters': { value: deadLetters, tone: '', what: 'kept' },
    plugins: { value: degraded.length, tone: 'warn', what: 'degraded' },
    quarantine: { value: (plugins['quarantined'] ?? 0) + (plugins['revoked'] ?? 0), tone: 'bad', what: 'stopped' },
    approvals: { value: plugins['pending-approval'] ?? 0, tone: 'warn', what: 'pending' },
  };
}

function Connection() {
  const { session, status } = useShared();
  if (!session.may('status:read')) return null;
  const { value, error } = status;
  if (error) return <span class="badge bad" role="status"><Icon name="warn" />{error.status === 0 ? 'Not connected' : error.title}</span>;
  if (!value) return <span class="badge" role="status"><Icon name="clock" />Connecting…</span>;
  return <span class="row"><span class={`badge ${value.ready ? 'good' : 'bad'}`} role="status"><Icon name={value.ready ? 'check' : 'warn'} />{value.ready ? 'Ready' : 'Not ready'}</span><span>{value.version} · {value.profile}{value.strict ? ' · strict' : ''}</span></span>;
}

const CHOICES: readonly { readonly choice: ThemeChoice; readonly name: string }[] = [{ choice: 'system', name: 'System theme' }, { choice: 'light', name: 'Light theme' }, { choice: 'dark', name: 'Dark theme' }];

function ThemeSwitch() {
  const [, choice] = useTheme();
  return (
    <label class="row"><span class="unseen">Theme</span>
      <select class="input" value={choice} onChange={({ currentTarget: { value } }) => chooseTheme(value === 'light' || value === 'dark' ? value : 'system')}>
        {CHOICES.map((each) => <option key={each.choice} value={each.choice}>{each.name}</option>)}
      </select>
    </label>
  );
}
