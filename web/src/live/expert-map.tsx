import { effect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { theme } from '../ui/preferences';
import { percent } from '../ui/units';
import type { Heat } from './stats';

const tierNames = ['on the SSD', 'in RAM', 'on the GPU'];
type Colour = [number, number, number];
/** Cold and hot, for each tier. */
type Ramp = [Colour, Colour];

/** CSS knows the theme's colours, also those made by light-dark(); an element's computed colour has them in numbers. */
function readColour(probe: HTMLElement, name: string): Colour {
  probe.style.color = `var(${name})`;
  const [r = 0, g = 0, b = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
}

function readRamps(probe: HTMLElement): Ramp[] {
  return ['ssd', 'ram', 'gpu'].map((tier) => [readColour(probe, `--${tier}-cold`), readColour(probe, `--${tier}-hot`)]);
}

/** Use is very uneven; the root shows the lukewarm ones too. */
function paint(heat: Heat, ramps: Ramp[]): ImageData {
  const image = new ImageData(heat.experts, heat.layers);
  for (let i = 0; i < heat.data.length; i++) {
    const [cold, hot] = ramps[heat.tier[i]!] ?? ramps[0]!;
    const share = Math.sqrt(heat.data[i]! / 255);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = cold[c]! + (hot[c]! - cold[c]!) * share;
    image.data[4 * i + 3] = 255;
  }
  return image;
}

interface Size {
  cell: number;
  rows: number;
  gap: number;
}

/** Whole device pixels for a cell where there is room for two; a gap between large cells. */
function sizeFor(width: number, heat: Heat): Size {
  const cell = width / heat.experts;
  return { cell, rows: Math.round(Math.min(22, Math.max(5, Math.min(cell, 420 / heat.layers)))), gap: cell >= 8 ? 1 : 0 };
}

function draw(canvas: HTMLCanvasElement, heat: Heat, width: number, cursor: Cell | null): void {
  const { cell, rows, gap } = sizeFor(width, heat);
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(rows * heat.layers * scale);
  canvas.style.height = `${rows * heat.layers}px`;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const source = document.createElement('canvas');
  source.width = heat.experts;
  source.height = heat.layers;
  source.getContext('2d')?.putImageData(paint(heat, readRamps(canvas)), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  if (gap > 0) {
    for (let x = 1; x < heat.experts; x++) context.clearRect(x * cell - 0.5, 0, 1, canvas.height);
    for (let y = 1; y < heat.layers; y++) context.clearRect(0, y * rows - 0.5, canvas.width, 1);
  }
  if (cursor === null) return;
  context.strokeStyle = getComputedStyle(canvas).outlineColor;
  context.lineWidth = 2;
  context.strokeRect(cursor.expert * cell - 1, cursor.row * rows - 1, cell + 2, rows + 2);
}

interface Cell {
  row: number;
  expert: number;
}

function describe(heat: Heat, { row, expert }: Cell): string {
  const at = row * heat.experts + expert;
  return `Layer ${row + heat.firstLayer}, expert ${expert}: ${tierNames[heat.tier[at]!] ?? 'elsewhere'}, heat ${percent(heat.data[at]! / 255)}`;
}

function summary(heat: Heat): string {
  const counts = [0, 0, 0];
  for (const tier of heat.tier) counts[tier] = (counts[tier] ?? 0) + 1;
  return counts.map((number, tier) => (number > 0 ? `${percent(number / heat.tier.length)} ${tierNames[tier]}` : '')).filter(Boolean).join(', ');
}

const steps: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function ExpertMap({ heat }: { heat: Heat }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [cursor, setCursor] = useState<Cell | null>(null);
  const [colours, setColours] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    observer.observe(canvas.current!.parentElement!);
    const system = matchMedia('(prefers-color-scheme: dark)');
    const repaint = (): void => setColours((n) => n + 1);
    system.addEventListener('change', repaint);
    const stop = effect(() => {
      theme.value;
      queueMicrotask(repaint);
    });
    return () => {
      observer.disconnect();
      system.removeEventListener('change', repaint);
      stop();
    };
  }, []);
  useEffect(() => {
    if (canvas.current && width > 0) draw(canvas.current, heat, width, cursor);
  }, [heat, width, cursor, colours]);

  const inside = (row: number, expert: number): Cell => ({
    row: Math.max(0, Math.min(heat.layers - 1, row)),
    expert: Math.max(0, Math.min(heat.experts - 1, expert)),
  });
  const point = (event: PointerEvent): void => {
    const box = canvas.current!.getBoundingClientRect();
    setCursor(inside(Math.floor(((event.clientY - box.top) / box.height) * heat.layers), Math.floor(((event.clientX - box.left) / box.width) * heat.experts)));
  };
  const move = (event: KeyboardEvent): void => {
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const from = cursor ?? { row: 0, expert: -1 };
    setCursor(inside(from.row + step[0], from.expert + step[1]));
  };
  return (
    <figure class="map">
      <div class="map-canvas">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="img"
          aria-label={`Map of ${heat.layers} layers by ${heat.experts} experts: ${summary(heat)}`}
          onPointerMove={point}
          onPointerDown={point}
          onPointerLeave={() => setCursor(null)}
          onBlur={() => setCursor(null)}
          onKeyDown={move}
        />
      </div>
      <figcaption class="figures" aria-live="polite">
        {cursor ? describe(heat, inside(cursor.row, cursor.expert)) : `Rows are layers, columns experts: ${summary(heat)}`}
      </figcaption>
    </figure>
  );
}
