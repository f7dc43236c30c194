/** Follows the daemon while the tab is visible: a hidden one costs nothing, and gets a snapshot when it is shown again. */
import { useEffect, useState } from 'react';
import { applyPatch, type Items, itemsOf } from './items.ts';
import type { PatchMessage, RatesMessage, SnapshotMessage } from './model.ts';
import { rateStore } from './rate-store.ts';
import { followStream, type StreamStatus } from './server-connection.ts';

export interface LiveItems {
  /** Undefined before the first snapshot. */
  items: Items | undefined;
  status: StreamStatus;
}

export function useItems(): LiveItems {
  const [items, setItems] = useState<Items>();
  const [status, setStatus] = useState<StreamStatus>('reconnecting');
  useEffect(() => {
    let following: AbortController | undefined;
    const event = ({ event: kind, data }: { event: string; data: string }): void => {
      if (kind === 'snapshot') setItems(itemsOf(JSON.parse(data) as SnapshotMessage));
      else if (kind === 'patch') {
        const patch = JSON.parse(data) as PatchMessage;
        setItems((before) => applyPatch(before ?? new Map(), patch));
      } else if (kind === 'rates') rateStore.set(JSON.parse(data) as RatesMessage);
    };
    const adapt = (): void => {
      if (document.hidden) {
        following?.abort();
        following = undefined;
        rateStore.set({ links: {}, peers: {} });
      } else if (following === undefined) {
        following = new AbortController();
        void followStream({ event, status: setStatus }, following.signal);
      }
    };
    adapt();
    document.addEventListener('visibilitychange', adapt);
    return () => {
      document.removeEventListener('visibilitychange', adapt);
      following?.abort();
    };
  }, []);
  return { items, status };
}
