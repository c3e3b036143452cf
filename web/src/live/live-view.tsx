import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { byteRate, bytes, count, duration, milliseconds, percent, significant } from '../ui/units';
import { ExpertMap } from './expert-map';
import { arrived, listen, liveHistory, problem } from './feed';
import type { History } from './history';
import { Memory } from './memory';
import { Sessions } from './sessions';
import { Spark } from './spark';
import { Legend, Stacked, type Segment } from './stacked';
import type { Stats } from './stats';

/** Listens while the view is on the screen. */
function useFeed(): void {
  useEffect(() => {
    document.title = 'Live · Sluice';
    let controller: AbortController | null = null;
    const follow = (): void => {
      if (document.hidden) {
        controller?.abort();
        controller = null;
      } else if (controller === null) {
        controller = new AbortController();
        void listen(controller.signal);
      }
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      controller?.abort();
    };
  }, []);
}

function Card({ title, wide = false, children }: { title: string; wide?: boolean; children: ComponentChildren }): JSX.Element {
  return (
    <section class={wide ? 'card wide' : 'card'}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Figure({ title, value, unit, note, children }: { title: string; value: string; unit: string; note: string; children: JSX.Element }): JSX.Element {
  return (
    <section class="card figure" aria-label={title}>
      <h2>{title}</h2>
      <p class="big figures">
        {value} <small>{unit}</small>
      </p>
      <p class="faint figures">{note}</p>
      {children}
    </section>
  );
}

function split(amount: string): [string, string] {
  const at = amount.indexOf(' ');
  return [amount.slice(0, at), amount.slice(at + 1)];
}

function CacheFigure({ stats, history }: { stats: Stats; history: History }): JSX.Element | null {
  if (stats.cache === null) return null;
  const { hits, misses } = stats.cache;
  const rates = history.samples.map(({ hitRate }) => hitRate);
  const now = rates.findLast((rate) => rate !== null) ?? (hits + misses > 0 ? hits / (hits + misses) : null);
  const guesses = history.guessRate === null ? '' : ` · ${percent(history.guessRate)} of guesses useful`;
  const [value, unit] = now === null ? ['–', ''] : split(percent(now));
  return (
    <Figure title="Cache hits" value={value} unit={unit} note={`${hits + misses > 0 ? percent(hits / (hits + misses)) : '–'} since the start${guesses}`}>
      <Spark values={rates} top={1} />
    </Figure>
  );
}

function DriveFigure({ stats, history }: { stats: Stats; history: History }): JSX.Element | null {
  if (stats.drive === null) return null;
  const { rate, limit, bytes_read } = stats.drive;
  const [value, unit] = split(byteRate(rate));
  const share = limit ? `${percent(rate / limit)} of its limit, ${byteRate(limit)}` : 'its limit is not known yet';
  return (
    <Figure title="Drive" value={value} unit={unit} note={`${share} · ${bytes(bytes_read)} read`}>
      <Spark values={history.samples.map(({ drive }) => drive)} limit={limit} />
    </Figure>
  );
}

function Figures({ stats, history }: { stats: Stats; history: History }): JSX.Element {
  const { tokens } = stats;
  return (
    <div class="figure-row">
      <Figure title="Answering" value={significant(tokens.decode_per_second)} unit="tokens/s" note={`${count(tokens.decode_total)} tokens since the start`}>
        <Spark values={history.samples.map(({ decode }) => decode)} />
      </Figure>
      <Figure title="Reading prompts" value={significant(tokens.prefill_per_second)} unit="tokens/s" note={`${count(tokens.prefill_total)} tokens since the start`}>
        <Spark values={history.samples.map(({ prefill }) => prefill)} />
      </Figure>
      <CacheFigure stats={stats} history={history} />
      <DriveFigure stats={stats} history={history} />
    </div>
  );
}

const timeLabels = { drive: 'Waiting for the drive', compute: 'Computing', wait: 'The rest' } as const;

function TimePerToken({ stats }: { stats: Stats }): JSX.Element {
  if (stats.time === null) return <p class="faint">Nothing is being answered.</p>;
  const { time } = stats;
  const whole = time.drive + time.compute + time.wait;
  const segments: Segment[] = (['drive', 'compute', 'wait'] as const).map((name) => ({ name, label: timeLabels[name], value: time[name], shown: milliseconds(time[name]) }));
  return (
    <>
      <p class="big figures">
        {split(milliseconds(whole))[0]} <small>{split(milliseconds(whole))[1]}</small>
      </p>
      <Stacked segments={segments} whole={whole} label="Time for a token" />
      <Legend segments={segments} />
    </>
  );
}

const tiersOfMap: Segment[] = [
  { name: 'tier-gpu', label: 'GPU', value: 0, shown: '' },
  { name: 'tier-ram', label: 'RAM', value: 0, shown: '' },
  { name: 'tier-ssd', label: 'SSD', value: 0, shown: '' },
];

function Experts({ stats }: { stats: Stats }): JSX.Element {
  if (!stats.heat) return <p class="faint">{stats.model?.experts ? 'Nothing is known about the experts yet.' : 'This model has no routed experts: all of it is in memory.'}</p>;
  const tiers = new Set(stats.heat.tier);
  return (
    <>
      <Legend segments={tiersOfMap.filter((_, at) => at > 0 || tiers.has(2))} />
      <ExpertMap heat={stats.heat} />
    </>
  );
}

function Title({ stats }: { stats: Stats }): JSX.Element {
  const { model } = stats;
  const experts = model && model.experts > 0 ? `${model.layers} layers, ${model.experts_used} of ${model.experts} experts` : `${model?.layers ?? 0} layers`;
  const parts = [model?.architecture, model ? experts : '', model ? `${bytes(model.bytes)} of weights` : '', stats.rss === null ? '' : `${bytes(stats.rss)} resident`, `up ${duration(stats.uptime)}`];
  return (
    <header class="live-head">
      <h1>{model?.name || 'Live'}</h1>
      <p class="faint figures">{parts.filter(Boolean).join(' · ')}</p>
    </header>
  );
}

export function LiveView(): JSX.Element {
  useFeed();
  arrived.value;
  const history = liveHistory();
  const stats = history.latest;
  return (
    <main class="live" id="live" tabIndex={-1}>
      {problem.value && (
        <p class="banner" role="alert">
          {problem.value} Trying again…
        </p>
      )}
      {stats === null ? (
        !problem.value && <p class="faint">Listening…</p>
      ) : (
        <div class="live-inside" data-stale={problem.value !== null}>
          <Title stats={stats} />
          <Figures stats={stats} history={history} />
          <div class="card-row">
            <Card title="Where the bytes are">
              <Memory stats={stats} />
            </Card>
            <div class="column">
              <Card title="Time for a token">
                <TimePerToken stats={stats} />
              </Card>
              <Card title="Requests">
                <Sessions stats={stats} />
              </Card>
            </div>
          </div>
          <Card title="Experts" wide>
            <Experts stats={stats} />
          </Card>
        </div>
      )}
    </main>
  );
}
