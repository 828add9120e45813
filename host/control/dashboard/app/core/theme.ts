// Light or dark: as the system says, unless somebody chose. The choice is all that this page keeps beyond the tab.
import { useEffect, useState } from 'preact/hooks';

export type ThemeChoice = 'system' | 'light' | 'dark';
export type Theme = 'light' | 'dark';

const KEY = 'gatehouse.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

export function themeChoice(): ThemeChoice {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

const effective = (): Theme => {
  const choice = themeChoice();
  return choice === 'system' ? (dark.matches ? 'dark' : 'light') : choice;
};

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = effective();
  for (const listener of listeners) listener();
}

dark.addEventListener('change', applyTheme);

export function useTheme(): readonly [Theme, ThemeChoice] {
  const [state, setState] = useState<readonly [Theme, ThemeChoice]>([effective(), themeChoice()]);
  useEffect(() => {
    const look = () => setState([effective(), themeChoice()]);
    listeners.add(look);
    return () => {
      listeners.delete(look);
    };
  }, []);
  return state;
}
