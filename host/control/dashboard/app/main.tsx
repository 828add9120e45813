// The page begins here: theme first, then whoever was signed in in this tab, or the question for a token.
import { render } from 'preact';
import { App } from './app.tsx';
import { applyTheme } from './core/theme.ts';

applyTheme();
const place = document.querySelector('#app');
if (place) render(<App />, place);
