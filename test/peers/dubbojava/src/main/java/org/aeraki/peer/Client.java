package org.aeraki.peer;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.aeraki.samples.HelloService;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.service.GenericService;
import sun.misc.Signal;

/** The consumer: retries off, cluster failfast. */
final class Client {
    private static final long RECONNECT_MILLIS = 20;

    private final Flags flags = new Flags();

    Client(String[] args) {
        Dubbo.commonFlags(flags);
        flags.text("target", "", "address of the server; with -registry not needed")
                .text("method", "sayHello",
                        "one or more, separated by commas, taken in turn: " + String.join(", ", Calls.METHODS))
                .text("name", "world", "what the request says; a token that is unique per request is added")
                .text("payload", "0", "bytes that the request carries at least")
                .text("number", "10", "milliseconds of slow, second argument of greet")
                .text("n", "1", "requests in all, 0: until a signal")
                .text("connections", "1", "TCP connections, used in turn")
                .text("concurrency", "0", "requests in flight in all, 0: as many as connections")
                .text("rate", "0", "requests per second in all, 0: as fast as replies come")
                .text("timeout", "5s", "of connecting and of a reply")
                .text("attachment", "", "KEY=VALUE of every request, repeatable")
                .bool("generic", "call through $invoke, with -async through $invokeAsync")
                .bool("async", "call through CompletableFutures")
                .bool("oneway", "expect no reply")
                .text("linger", "0s", "keep the connection so long after the last reply")
                .text("stats", "0s", "print numbers at this interval, 0: at the end only")
                .bool("print", "print every reply")
                .parse(args);
        for (String method : flags.text("method").split(",")) {
            if (!Arrays.asList(Calls.METHODS).contains(method)) {
                throw new Flags.UsageException("-method is not one of " + Arrays.toString(Calls.METHODS));
            }
        }
        if (flags.text("target").isEmpty() && flags.text("registry").isEmpty()) {
            throw new Flags.UsageException("-target or -registry is needed");
        }
    }

    int run() throws Exception {
        Dubbo.prepare(flags);
        awaitServer();
        Calls calls = flags.bool("generic")
                ? new Calls(flags, null, reference(new ReferenceConfig<GenericService>()).get())
                : new Calls(flags, reference(new ReferenceConfig<HelloService>()).get(), null);
        Load load = new Load(flags, calls);
        Thread main = Thread.currentThread();
        Signal.handle(new Signal("TERM"), s -> load.stop(main));
        Signal.handle(new Signal("INT"), s -> load.stop(main));
        boolean good = load.run();
        linger();
        return good ? 0 : 1;
    }

    private void linger() {
        try {
            Thread.sleep(flags.duration("linger").toMillis());
        } catch (InterruptedException e) {
            // A signal ends it early.
        }
    }

    private <T> ReferenceConfig<T> reference(ReferenceConfig<T> r) {
        r.setApplication(Dubbo.application("peer-client"));
        r.setRegistry(Dubbo.registry(flags));
        if (flags.bool("generic")) {
            r.setGeneric("true");
            r.setInterface(HelloService.class.getName());
        } else {
            r.setInterface(HelloService.class);
            if (flags.bool("oneway")) {
                r.setMethods(Arrays.stream(flags.text("method").split(","))
                        .map(Dubbo::oneway).collect(Collectors.toList()));
            }
        }
        if (!flags.text("target").isEmpty()) {
            String[] target = Dubbo.hostPort(flags.text("target"));
            r.setUrl("dubbo://" + Dubbo.numeric(target[0]) + ":" + target[1] );
        }
        if (!flags.text("group").isEmpty()) {
            r.setGroup(flags.text("group"));
        }
        if (!flags.text("version").isEmpty()) {
            r.setVersion(flags.text("version"));
        }
        r.setRetries(0);
        r.setCluster("failfast");
        r.setTimeout((int) flags.duration("timeout").toMillis());
        r.setConnections((int) flags.number("connections"));
        Map<String, String> p = new HashMap<>(Dubbo.parameters(flags));
        if (!flags.text("registry").isEmpty()) {
            // Through a registry the provider's URL decides.
            p.remove("serialization");
            p.remove("prefer.serialization");
        }
        r.setParameters(p);
        return r;
    }

    /** Dubbo wants a server that is there when a reference is made. */
    private void awaitServer() throws IOException, InterruptedException {
        if (flags.text("target").isEmpty()) {
            return;
        }
        String[] target = Dubbo.hostPort(flags.text("target"));
        int timeout = (int) flags.duration("timeout").toMillis();
        long deadline = System.nanoTime() + timeout * 1_000_000L;
        while (true) {
            try (Socket s = new Socket()) {
                s.connect(new InetSocketAddress(target[0], Integer.parseInt(target[1])), timeout);
                return;
            } catch (IOException e) {
                if (System.nanoTime() > deadline) {
                    throw e;
                }
                Thread.sleep(RECONNECT_MILLIS);
            }
        }
    }
}
