"""The life of containers, networks, volumes and images with docker-py. e2e/docker-py.e2e.test.ts runs it in a lab host."""

import faulthandler
import io
import tarfile
import threading
import unittest

import docker

TEST = "netyard-test"
IDLE = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]


def archive(**files):
    """A tar archive with the given contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


class DockerPy(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env()
        self.addCleanup(self.client.close)

    def start(self, command=IDLE, image=TEST, **options):
        container = self.client.containers.run(image, command, detach=True, **options)
        self.addCleanup(self.discard, container)
        return container

    def discard(self, container):
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            pass

    def test_engine(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.info()["Images"], 2)
        self.assertIn("ApiVersion", self.client.version())
        self.assertIn("LayersSize", self.client.df())
        newest = docker.from_env(version="auto")
        self.assertTrue(newest.ping())
        newest.close()

    def test_run_attached(self):
        self.assertEqual(self.client.containers.run(TEST, "echo hello", remove=True), b"hello\n")
        both = self.client.containers.run(TEST, ["sh", "-c", "echo o; echo e >&2"], stderr=True, remove=True)
        self.assertEqual(sorted(both.split()), [b"e", b"o"])
        with self.assertRaises(docker.errors.ContainerError) as failed:
            self.client.containers.run(TEST, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
        self.assertEqual((failed.exception.exit_status, failed.exception.stderr), (3, b"why\n"))
        with self.assertRaises(docker.errors.ImageNotFound):
            self.client.api.create_container("no-such-image")

    def test_life(self):
        container = self.start(name="life", hostname="given", labels={"kind": "life"}, environment={"A": "b"})
        self.assertEqual(container.status, "created")
        container.reload()
        self.assertEqual(container.status, "running")
        self.assertEqual([each.name for each in self.client.containers.list(filters={"label": "kind=life"})], ["life"])
        container.pause()
        container.unpause()
        container.rename("renamed")
        container.update(mem_limit="64m", memswap_limit="128m")
        container.restart(timeout=0)
        self.assertEqual(container.top()["Titles"][0], "UID")
        self.assertEqual(container.stats(stream=False)["memory_stats"]["limit"], 64 << 20)
        self.assertEqual(next(container.stats(decode=True))["name"], "/renamed")
        container.stop(timeout=5)
        self.assertEqual(container.wait()["StatusCode"], 0)
        container.start()
        container.kill()
        self.assertEqual(container.wait()["StatusCode"], 137)
        container.remove()
        with self.assertRaises(docker.errors.NotFound):
            self.client.containers.get("life")

    def test_ports_and_networks(self):
        network = self.client.networks.create(
            "net",
            driver="bridge",
            labels={"kind": "net"},
            check_duplicate=True,
            ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.9.1.0/24", gateway="10.9.1.1")]),
        )
        self.addCleanup(network.remove)
        web = self.start(None, "nginx-web01", name="web", ports={"80/tcp": None, "81/udp": 8181}, network="net")
        web.reload()
        self.assertRegex(web.ports["80/tcp"][0]["HostPort"], r"^\d+$")
        self.assertEqual(web.ports["81/udp"][0]["HostPort"], "8181")
        client = self.start(name="client")
        network.connect(client, aliases=["asker"], ipv4_address="10.9.1.77")
        network.reload()
        self.assertEqual({each.name for each in network.containers}, {"web", "client"})
        client.reload()
        self.assertEqual(client.attrs["NetworkSettings"]["Networks"]["net"]["IPAddress"], "10.9.1.77")
        self.assertEqual(client.exec_run("ping -c 1 -W 30 web").exit_code, 0)
        self.assertEqual(client.exec_run("ping -c 1 -W 30 asker").exit_code, 0)
        with self.assertRaises(docker.errors.APIError) as conflict:
            network.connect(client)
        self.assertIn("already exists in network net", conflict.exception.explanation)
        network.disconnect(client)
        network.disconnect(web, force=True)
        self.assertEqual([each.name for each in self.client.networks.list(names=["net"])], ["net"])
        self.assertEqual(self.client.networks.get("net").attrs["Labels"], {"kind": "net"})

    def test_low_level_endpoints(self):
        api = self.client.api
        network = self.client.networks.create("low")
        self.addCleanup(network.remove)
        container = api.create_container(
            TEST,
            IDLE,
            host_config=api.create_host_config(network_mode="low", restart_policy={"Name": "on-failure"}),
            networking_config=api.create_networking_config({"low": api.create_endpoint_config(aliases=["alias"])}),
        )
        self.addCleanup(api.remove_container, container, force=True)
        api.start(container)
        self.assertIn("alias", api.inspect_container(container)["NetworkSettings"]["Networks"]["low"]["Aliases"])

    def test_exec(self):
        container = self.start()
        code, output = container.exec_run(["sh", "-c", "echo $V; pwd; exit 4"], environment={"V": "v"}, workdir="/tmp")
        self.assertEqual((code, output), (4, b"v\n/tmp\n"))
        _, (out, err) = container.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
        self.assertEqual((out, err), (b"o\n", b"e\n"))
        _, stream = container.exec_run(["sh", "-c", "echo 1; echo 2"], stream=True)
        self.assertEqual(b"".join(stream), b"1\n2\n")
        _, socket = container.exec_run("cat", stdin=True, socket=True, tty=True)
        socket._sock.sendall(b"typed\n")
        self.assertEqual(socket._sock.recv(100)[:5], b"typed")
        socket.close()
        created = self.client.api.exec_create(container.id, "true")
        self.client.api.exec_start(created, detach=True)

    def test_logs(self):
        container = self.start(["sh", "-c", "for i in 1 2 3; do echo $i; done"])
        lines = list(container.logs(stream=True, follow=True))
        self.assertEqual(b"".join(lines), b"1\n2\n3\n")
        self.assertEqual(container.logs(tail=1), b"3\n")
        self.assertRegex(container.logs(timestamps=True, tail=1), rb"^\d{4}-.*Z 3\n$")

    def test_attach(self):
        # Output that arrives together with the head of the response is lost by docker-py: more of it follows.
        container = self.start(["sh", "-c", "while :; do echo tick; sleep 0.1; done"])
        stream = container.attach(stream=True)
        self.assertRegex(next(stream), rb"\A(tick\n)+\Z")
        stream.close()

    def test_archives(self):
        container = self.start(volumes={"archived": {"bind": "/data", "mode": "rw"}})
        self.addCleanup(lambda: (self.discard(container), self.client.volumes.get("archived").remove()))
        self.assertTrue(container.put_archive("/data", archive(**{"a.txt": b"A"})))
        self.assertEqual(container.exec_run("cat /data/a.txt").output, b"A")
        chunks, stat = container.get_archive("/data/a.txt")
        self.assertEqual((stat["name"], stat["size"]), ("a.txt", 1))
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            self.assertEqual(tar.extractfile("a.txt").read(), b"A")
        with self.assertRaises(docker.errors.NotFound):
            container.get_archive("/missing")
        container.exec_run("touch /new")
        self.assertIn({"Path": "/new", "Kind": 1}, container.diff())

    def test_volumes_and_mounts(self):
        volume = self.client.volumes.create("data", labels={"kind": "data"})
        mount = docker.types.Mount("/d", "data")
        self.client.containers.run(TEST, ["sh", "-c", "echo kept > /d/f"], mounts=[mount], remove=True)
        read = docker.types.Mount("/r", "data", read_only=True)
        scratch = docker.types.Mount("/s", None, type="tmpfs", tmpfs_size=1 << 20)
        output = self.client.containers.run(TEST, "cat /r/f", mounts=[read, scratch], remove=True)
        self.assertEqual(output, b"kept\n")
        self.assertEqual([each.name for each in self.client.volumes.list(filters={"label": "kind=data"})], ["data"])
        volume.remove()
        with self.assertRaises(docker.errors.NotFound):
            self.client.volumes.get("data")

    def test_images(self):
        image = self.client.images.get(TEST)
        self.assertTrue(image.tag("other/name", "two"))
        self.assertIn("other/name:two", [tag for each in self.client.images.list() for tag in each.tags])
        saved = b"".join(self.client.images.get("other/name:two").save(named="other/name:two"))
        self.client.images.remove("other/name:two")
        self.assertIn("other/name:two", [tag for each in self.client.images.load(saved) for tag in each.tags])
        self.client.images.remove("other/name:two")
        self.assertGreater(len(image.history()), 0)

    def test_options(self):
        container = self.start(
            cap_add=["NET_ADMIN"],
            dns=["192.0.2.1"],
            extra_hosts={"elsewhere": "192.0.2.7"},
            init=True,
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
            mem_limit="32m",
            read_only=True,
            shm_size="1m",
            sysctls={"net.ipv4.ip_default_ttl": "33"},
            tmpfs={"/scratch": "size=1m"},
            ulimits=[docker.types.Ulimit(name="nofile", soft=99, hard=100)],
            user="65534",
            working_dir="/var",
            healthcheck={"test": ["CMD", "true"], "interval": 1_000_000_000},
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
        )
        script = "id -u; pwd; ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl; grep -c elsewhere /etc/hosts"
        self.assertEqual(container.exec_run(["sh", "-c", script]).output, b"65534\n/var\n99\n33\n1\n")

    def test_events(self):
        events = self.client.events(decode=True, filters={"label": "kind=events"})
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(self.until_destroy(events)))
        reader.start()
        self.client.containers.run(TEST, "true", labels={"kind": "events"}, remove=True)
        reader.join(60)
        events.close()
        actions = [each["Action"] for each in seen]
        self.assertEqual([each for each in actions if each != "attach"], ["create", "start", "die", "destroy"])

    @staticmethod
    def until_destroy(events):
        for event in events:
            yield event
            if event["Action"] == "destroy":
                return

    def test_prunes(self):
        label = {"label": "kind=prune"}
        labels = {"kind": "prune"}
        stopped = self.client.containers.create(TEST, labels=labels)
        self.client.networks.create("unused", labels=labels)
        self.client.volumes.create("unused", labels=labels)
        self.assertEqual(self.client.containers.prune(filters=label)["ContainersDeleted"], [stopped.id])
        self.assertEqual(self.client.networks.prune(filters=label)["NetworksDeleted"], ["unused"])
        removed = self.client.volumes.prune(filters={**label, "all": True})
        self.assertEqual(removed["VolumesDeleted"], ["unused"])
        self.assertEqual(self.client.images.prune(filters=label)["SpaceReclaimed"], 0)

    def test_swarm_is_not_active(self):
        for call in (self.client.services.list, self.client.nodes.list, self.client.secrets.list):
            with self.assertRaises(docker.errors.APIError) as failed:
                call()
            self.assertEqual(failed.exception.status_code, 503)
            self.assertIn("This node is not a swarm manager", failed.exception.explanation)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(300, exit=True)  # a call that never returns
    unittest.main()
