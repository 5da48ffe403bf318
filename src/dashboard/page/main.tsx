import { render } from 'preact';
import { App } from './app.js';
import { begin } from './state.js';

begin();
render(<App />, document.body);
