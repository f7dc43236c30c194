/** Light or dark: as the system has it, unless the user chooses. */
import { useEffect, useState } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const storageName = 'netyard-theme';
const order: readonly Theme[] = ['system', 'light', 'dark'];

const stored = (): Theme => order.find((theme) => theme === localStorage.getItem(storageName)) ?? 'system';

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(stored);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem(storageName, theme);
  }, [theme]);
  return [theme, () => setTheme((before) => order[(order.indexOf(before) + 1) % order.length] ?? 'system')];
}
