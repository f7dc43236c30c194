/**
 * Reads running tasks of containerd from the folders of their bundles (`config.json`, `init.pid`), which its shims keep.
 * Containers that do not run have none. Those of dockerd and Netyard are there, too: their ids are known from the engine
 * itself, unless that does not answer.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseTask, type Task } from './parse-task.ts';
import type { EngineReport } from './report.ts';

/** State folders: of containerd as a service, of k3s, of the ones that dockerd and Netyard start. */
const stateFolders = [
  '/run/containerd',
  '/run/k3s/containerd',
  '/run/docker/containerd/daemon',
  '/run/netyard/containerd',
];
const tasksFolder = 'io.containerd.runtime.v2.task';
/** Of a spec, in bytes; usual are 10 KiB. */
const maxSpec = 4 * 1024 * 1024;

/** One report for each state folder that has tasks. */
export function readContainerd(folders: readonly string[] = stateFolders): EngineReport[] {
  return folders.flatMap((source) => {
    const tasks = listTasks(join(source, tasksFolder));
    if (tasks.length === 0) return [];
    return [{ engine: { kind: 'containerd', source }, containers: tasks.map(parseTask), networks: [] }];
  });
}

const listTasks = (folder: string): Task[] =>
  listFolder(folder).flatMap((namespace) =>
    listFolder(join(folder, namespace)).flatMap((id) => readTask(join(folder, namespace, id), namespace, id) ?? []),
  );

/** Undefined for one that has ended. */
function readTask(bundle: string, namespace: string, id: string): Task | undefined {
  try {
    const pid = Number(readFileSync(join(bundle, 'init.pid'), 'utf8'));
    const spec = join(bundle, 'config.json');
    if (!Number.isInteger(pid) || pid < 1 || !existsSync(`/proc/${pid}`)) return undefined;
    const isUsual = statSync(spec).size <= maxSpec;
    return { id, namespace, pid, spec: isUsual ? JSON.parse(readFileSync(spec, 'utf8')) : {} };
  } catch {
    return undefined; // it ends, or its creation is not complete
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return []; // absent
  }
}
