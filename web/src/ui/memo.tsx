import { Component, type ComponentType } from 'preact';

/** Draws a component again only if a prop changed. */
export function memo<Props extends object>(Drawn: ComponentType<Props>): ComponentType<Props> {
  return class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const now = this.props as Record<string, unknown>;
      const names = Object.keys(next) as (keyof Props & string)[];
      return names.length !== Object.keys(now).length || names.some((name) => next[name] !== now[name]);
    }
    override render() {
      return <Drawn {...(this.props as Props)} />;
    }
  };
}
