// A dashboard on a page: heading, variables, and the panels on Grafana's grid. Each panel says in
// `data-state` what became of it: ok, empty or failed.
import { LoadingState, ThemeContext, dateTime } from '@grafana/data';
import { GlobalStyles, Icon, PanelChrome, PanelContextProvider } from '@grafana/ui';
import { Component, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { framesOf, theme } from './frames.js';
import { times } from './marks.js';
import { KINDS } from './panels.jsx';

const HEAD = 96;

class Guard extends Component {
  state = { error: null };
  static getDerivedStateFromError(error) { return { error }; }
  render() {
    const { error } = this.state;
    return error ? <div data-state="failed">{String(error)}</div> : this.props.children;
  }
}

function Body({ panel, frames, ...rest }) {
  if (!frames.some((frame) => frame.length > 0)) {
    const text = panel.fieldConfig.defaults.noValue ?? 'No data';
    return <div data-state="empty" style={{ display: 'grid', placeItems: 'center', width: rest.width, height: rest.height }}>{text}</div>;
  }
  const Kind = KINDS[panel.type];
  return <div data-state="ok"><Kind panel={panel} frames={frames} {...rest} /></div>;
}

function Panel({ panel, at, frames, failed, range, marks }) {
  const place = { position: 'absolute', left: at.left, top: at.top + HEAD };
  if (panel.type === 'row') {
    return (
      <div style={{ ...place, display: 'flex', alignItems: 'center', height: at.height, gap: 8 }}>
        <Icon name="angle-down" />
        <span style={{ ...theme.typography.h6 }}>{panel.title}</span>
      </div>
    );
  }
  return (
    <div style={place} data-panel={panel.title} data-kind={panel.type}>
      <PanelChrome title={panel.title} description={panel.description} width={at.width} height={at.height}
        loadingState={LoadingState.Done}>
        {(width, height) => (
          <Guard>
            {failed
              ? <div data-state="failed">{String(failed)}</div>
              : <Body panel={panel} frames={frames} range={range} marks={marks} width={width} height={height} />}
          </Guard>
        )}
      </PanelChrome>
    </div>
  );
}

function Variable({ label, value }) {
  const cell = { padding: '0 8px', height: 32, display: 'flex', alignItems: 'center', border: `1px solid ${theme.colors.border.medium}` };
  return (
    <div style={{ display: 'flex', ...theme.typography.bodySmall }}>
      <span style={{ ...cell, background: theme.colors.background.secondary, borderRight: 0, fontWeight: 500 }}>{label}</span>
      <span style={{ ...cell, background: theme.components.input.background, gap: 24 }}>{value}<Icon name="angle-down" /></span>
    </div>
  );
}

const RANGES = { 'now-6h': 'Last 6 hours', 'now-24h': 'Last 24 hours', 'now-7d': 'Last 7 days' };

function Head({ board, variables }) {
  const shown = board.templating.list.map(({ name, label, type }) => {
    const value = type === 'datasource' ? 'prometheus' : variables[name];
    return <Variable key={name} label={label} value={value === '.+' ? 'All' : value} />;
  });
  return (
    <div style={{ position: 'absolute', left: 16, right: 16, top: 0 }}>
      <div style={{ display: 'flex', alignItems: 'center', justifyContent: 'space-between', height: 48 }}>
        <span style={theme.typography.h4}>{board.title}</span>
        <Variable label={<Icon name="clock-nine" />} value={RANGES[board.time.from]} />
      </div>
      <div style={{ display: 'flex', gap: 8 }}>{shown}</div>
    </div>
  );
}

function Dashboard({ board, panels, variables, range, marks }) {
  useEffect(() => { document.fonts.ready.then(() => setTimeout(() => { document.body.dataset.drawn = 'yes'; }, 500)); }, []);
  const height = HEAD + Math.max(...panels.map(({ at }) => at.top + at.height)) + 16;
  return (
    <div id="dashboard" style={{ position: 'relative', height, background: theme.colors.background.canvas }}>
      <Head board={board} variables={variables} />
      {panels.map((one) => <Panel key={one.panel.id} {...one} range={range} marks={marks} />)}
    </div>
  );
}

async function main() {
  const told = await (await fetch(`/data/${new URLSearchParams(location.search).get('board')}.json`)).json();
  const interpolate = (text, scoped) => text.replace(/\$\{?(\w+)(?::\w+)?\}?/g, (whole, name) => told.variables[name] ?? scoped?.[name]?.text ?? whole);
  const panels = [];
  for (const one of told.panels) {
    const drawable = one.answers.length ? framesOf(one, interpolate) : Promise.resolve([]);
    panels.push(await drawable.then((frames) => ({ ...one, frames }), (failed) => ({ ...one, failed })));
  }
  const [from, to] = [dateTime(told.from).utc(), dateTime(told.to).utc()];
  const range = { from, to, raw: { from, to } };
  const marks = times(told.marks);
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Dashboard board={told.board} panels={panels} variables={told.variables} range={range} marks={marks} />
    </ThemeContext.Provider>,
  );
}

main().catch((error) => { console.error(error); document.body.dataset.drawn = 'failed'; });
