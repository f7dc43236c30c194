/** Flags of `create` and `run` produce the docker CLI's request or error message. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { asNetyard, Both, type Result, withoutDocker } from './docker-comparison.ts';

const lines: string[] = [
  'img',
  'img cmd -x --flag -p 80',
  '-it img',
  '-i img',
  '-t img sh',
  '-itd=false img',
  '--interactive=true --tty=0 img',
  '-a stdin -a STDOUT img',
  '-p 80 img',
  '-p8080:80 img',
  '-p=8080:80 img',
  '-p 8080:80/udp -p 8080:80/TCP img',
  '-p 127.0.0.1:8080:80 img',
  '-p 127.0.0.1::80 img',
  '-p [::1]:8080:80 img',
  '-p 8000-8002:80-82 img',
  '-p 8000-8010:80 img',
  '-p 80-82 img',
  '-p target=80,published=8080,protocol=udp img',
  '-p target=80,published=8080 img',
  '-p 53:53/sctp img',
  '-P --expose 80 --expose 90-92/udp img',
  '-p a img',
  '-p 1:2:3:4 img',
  '-p 8000-8001:80-82 img',
  '-p 99999:80 img',
  '-p 80:99999 img',
  '-p 80:80/foo img',
  '-p 300.1.1.1:80:80 img',
  '-p 80: img',
  '-p 90-80:1 img',
  '-p foo=bar,baz img',
  '--expose 80:90 img',
  '--expose abc img',
  '--expose 70000 img',
  '--expose 5-3 img',
  '-e A=1 -e B= -e FROM_ENV -e NOT_THERE img',
  '-eA=1 img',
  '-e= img',
  '-e =x img',
  '--env-file ENVFILE -e A=2 img',
  '--env-file BADFILE img',
  '--env-file /nonexistent/file img',
  '-l a=b -l c --label x=y=z img',
  '-l =x img',
  '--label-file LABELFILE -l a=2 img',
  '--name web --hostname h --domainname d.e img',
  '-h short img',
  '-hjoined img',
  '-u 1000:1000 -w /srv img',
  '--entrypoint /bin/sh img -c true',
  '--entrypoint= img',
  '-v /data img',
  '-v /a:/b -v c:/d:ro img',
  '-v ./rel:/x img',
  '-v .:/x img',
  '-v /a:/b:ro,z img',
  '-v a:b:c:d img',
  '-v :/x img',
  '-v /x: img',
  '--tmpfs /t --tmpfs /u:size=1m,mode=1777 img',
  '--mount type=bind,source=/a,target=/b img',
  '--mount type=bind,src=/a,dst=/b,ro img',
  '--mount type=bind,src=/a,dst=/b,readonly=false,bind-propagation=rshared img',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=disabled img',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=enabled img',
  '--mount type=bind,src=/a,dst=/b,bind-nonrecursive,bind-recursive=enabled img',
  '--mount type=bind,src=/a,dst=/b,ro,bind-recursive=writable img',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=writable img',
  '--mount type=bind,src=/a,dst=/b,ro,bind-recursive=readonly,bind-propagation=rprivate img',
  '--mount type=bind,src=/a,dst=/b,ro,bind-recursive=readonly img',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=readonly img',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=x img',
  '--mount type=volume,src=v,dst=/b,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=o=x img',
  '--mount src=v,dst=/b,volume-subpath=x img',
  '--mount type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=0700 img',
  '--mount type=bind,src=/a img',
  '--mount type=bind img',
  '--mount type=bind,foo=bar,dst=/x img',
  '--mount foo img',
  '--mount type=tmpfs,dst=/t,tmpfs-size=x img',
  '--mount type=tmpfs,dst=/t,tmpfs-mode=9 img',
  '--mount type=bind,src=/a,dst=/b,volume-nocopy img',
  '--mount type=volume,dst=/b,bind-propagation=shared img',
  '--mount type=bind,src=/a,dst=/b,ro=x img',
  '--volumes-from a --volumes-from b:ro --volume-driver d img',
  '--link a --link b:c img',
  '--link a:b:c img',
  '--link= img',
  '--net host img',
  '--net=none img',
  '--network bridge --ip 172.17.0.9 img',
  '--net container:web img',
  '--net own --net-alias x --network-alias y --link a:b --ip 10.0.0.2 --ip6 fd00::2 --link-local-ip 169.254.1.1 img',
  '--network name=own,alias=x,alias=y,ip=10.0.0.2,mac-address=02:42:ac:11:00:02,driver-opt=a=b,gw-priority=5 img',
  '--network own --network other img',
  '--network own --network own img',
  '--network own --network host img',
  '--network name=own,alias=x --network-alias y img',
  '--network name=own,ip=10.0.0.2 --ip 10.0.0.3 img',
  '--network name=own,mac-address=02:42:ac:11:00:02 --mac-address 02:42:ac:11:00:03 img',
  '--network name=own,foo=bar img',
  '--network name=own,gw-priority=x img',
  '--network alias=x img',
  '--network-alias x img',
  '--net bridge --network-alias x img',
  '--mac-address 02:42:ac:11:00:02 img',
  '--mac-address nonsense img',
  '--add-host db:10.0.0.1 --add-host v6:::1 --add-host gw=host-gateway --add-host b=[::1] img',
  '--add-host db img',
  '--add-host db:x img',
  '--dns 1.1.1.1 --dns-search a.b --dns-option ndots:2 --dns-opt x img',
  '--dns x img',
  '--dns-search .. img',
  '-m 64m --memory-reservation 32m --memory-swap -1 --memory-swappiness 10 img',
  '-m 1.5g img',
  '-m 64MiB img',
  '-m x img',
  '-m 1x img',
  '--memory-swappiness 200 img',
  '--cpus 1.5 --cpu-shares 512 --cpuset-cpus 0-1 --cpuset-mems 0 --cpu-period 100000 --cpu-quota 50000 img',
  '--cpus .5 img',
  '--cpus x img',
  '--cpus 0.0000000001 img',
  '-c x img',
  '--pids-limit 100 --oom-kill-disable --oom-score-adj 500 --blkio-weight 300 img',
  '--blkio-weight -1 img',
  '--restart always img',
  '--restart on-failure:3 img',
  '--restart on-failure:x img',
  '--restart :3 img',
  '--restart a:b:c img',
  '--restart always --rm img',
  '--rm --init img',
  '--init=false img',
  '--rm=maybe img',
  '--privileged --cap-add NET_ADMIN --cap-drop all --read-only img',
  '--cap-add net_admin --cap-add cap_sys_time --cap-add ALL img',
  '--cap-add b --cap-add a --cap-add b --cap-drop c --cap-drop a img',
  '--security-opt no-new-privileges --security-opt apparmor=unconfined --security-opt label:disable img',
  '--security-opt seccomp=unconfined --security-opt systempaths=unconfined img',
  '--security-opt seccomp=SECCOMP img',
  '--security-opt seccomp=/nonexistent img',
  '--security-opt foo img',
  '--device /dev/null --device /dev/zero:/dev/x --device /dev/full:/dev/y:r --device /dev/tty:rw img',
  '--device a:b:c:d img',
  '--device /dev/null:/dev/null:q img',
  '--device-cgroup-rule "c 1:3 rwm" img',
  '--device-cgroup-rule nonsense img',
  '--group-add audio --group-add 5 img',
  '--ulimit nofile=1024:2048 --ulimit nproc=5 img',
  '--ulimit nofile img',
  '--ulimit foo=1 img',
  '--ulimit nofile=5:1 img',
  '--shm-size 128m --ipc host --pid host --uts host --userns host --cgroupns host img',
  '--pid container:x --ipc shareable img',
  '--pid foo img',
  '--uts foo img',
  '--userns foo img',
  '--cgroupns foo img',
  '--cgroup-parent /x --runtime crun img',
  '--sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=1 img',
  '--sysctl foo=1 img',
  '--storage-opt size=1G --annotation a=b img',
  '--log-driver none img',
  '--log-driver json-file --log-opt max-size=1m --log-opt max-file=2 img',
  '--log-driver none --log-opt a=b img',
  '--stop-signal TERM --stop-timeout 3 img',
  '--stop-timeout 0 img',
  '--stop-timeout x img',
  '--health-cmd true --health-interval 5s --health-timeout 1m30s --health-retries 3 --health-start-period 1h --health-start-interval 500ms img',
  '--no-healthcheck img',
  '--no-healthcheck --health-cmd x img',
  '--health-interval 5 img',
  '--health-interval -5s img',
  '--platform linux/amd64 --pull never img',
  '--pull sometimes img',
  '--foo img',
  '-Z img',
  '-itZ img',
  '--name',
  '-p',
  '--',
  '-- img -x',
  '---x img',
  '--=x img',
  'IMG',
  'a:b:c',
  '',
];

interface Files {
  folder: string;
  substitute: (word: string) => string;
}

function makeFiles(): Files {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-cli-files-'));
  const files: Record<string, string> = {
    ENVFILE: '# comment\n\nA=1\n  B=two words\nFROM_ENV\nNOT_THERE\nC=\n',
    BADFILE: 'two words=1\n',
    LABELFILE: '# x\na=1\nb\n',
    SECCOMP: '{ "defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [] }\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const names = new RegExp(Object.keys(files).join('|'));
  return { folder, substitute: (word) => word.replace(names, (name) => join(folder, name)) };
}

const split = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');

/** Sorts lists that docker builds from a Go map, whose order is random. */
function comparable(result: Result): unknown {
  const requests = result.requests.filter(({ path }) => !path.endsWith('/wait')); // docker waits also when detached
  return requests.map(({ method, path, query, body }) => {
    const copy = structuredClone(body) as
      | { Env?: string[]; HostConfig?: { Binds?: string[]; Mounts?: unknown[] } }
      | undefined;
    copy?.HostConfig?.Binds?.sort();
    copy?.Env?.sort();
    return { method, path, query, body: copy };
  });
}

describe('create, compared with docker', { skip: withoutDocker, concurrency: 1 }, () => {
  let both: Both;
  let files: Files;
  before(async () => {
    both = await Both.open();
    files = makeFiles();
    both.daemon.answers.set('POST /containers/create', { Id: 'a'.repeat(64), Warnings: ['careful'] });
  });
  after(async () => {
    await both.close();
    rmSync(files.folder, { recursive: true });
  });

  for (const line of lines) {
    test(`create ${line}`, async () => {
      const words = ['create', ...split(line).map(files.substitute)];
      const options = { env: { FROM_ENV: 'here' }, cwd: files.folder };
      const theirs = await both.docker(words, options);
      const ours = await both.netyard(words, options);
      assert.deepEqual(comparable(ours), comparable(theirs));
      assert.equal(ours.stderr, asNetyard(theirs.stderr));
      assert.equal(ours.stdout, theirs.stdout);
      assert.equal(ours.status, theirs.status);
    });
  }

  for (const line of ['-d img', '-d --rm -p 80:80 img sleep 1', '-dit img', '-d -a stdout img', '-it img']) {
    test(`run ${line}`, async () => {
      both.daemon.answers.set(`POST /containers/${'a'.repeat(64)}/start`, null);
      both.daemon.answers.set(`POST /containers/${'a'.repeat(64)}/wait`, { StatusCode: 0 });
      const words = ['run', ...split(line)];
      const theirs = await both.docker(words);
      const ours = await both.netyard(words);
      assert.deepEqual(comparable(ours), comparable(theirs));
      assert.equal(ours.stderr, asNetyard(theirs.stderr));
      assert.equal(ours.stdout, theirs.stdout);
      assert.equal(ours.status, theirs.status);
    });
  }
});
