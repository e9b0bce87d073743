package org.aeraki.peer;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.aeraki.samples.HelloService;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import sun.misc.Signal;

/** The provider. */
final class Server {
    private final Flags flags = new Flags();

    Server(String[] args) {
        Dubbo.commonFlags(flags);
        flags.text("listen", "127.0.0.1:0", "address; port 0 takes a free one")
                .text("name", "v1", "the name in replies and counts")
                .text("delay", "0ms", "wait this long before every handler")
                .text("drain", "10s", "at a stop, wait at most this long for consumers to leave")
                .text("count-file", "", "keep the counts in this file too")
                .text("register", "", "HOST:PORT to register instead of the own address")
                .text("payload", Integer.toString(Dubbo.MAX_PAYLOAD), "bytes that a request may have")
                .text("threads", "200", "requests worked on at once; more are refused")
                .parse(args);
    }

    int run() throws Exception {
        CountDownLatch stop = new CountDownLatch(1);
        Signal.handle(new Signal("TERM"), s -> stop.countDown());
        Signal.handle(new Signal("INT"), s -> stop.countDown());
        Dubbo.prepare(flags);
        System.setProperty("dubbo.service.shutdown.wait", Long.toString(flags.duration("drain").toMillis()));
        System.setProperty(FolderRegistry.REGISTER, flags.text("register"));

        Counts counts = new Counts(flags.text("name"));
        String address = export(counts);
        Path file = flags.text("count-file").isEmpty() ? null : Path.of(flags.text("count-file")).toAbsolutePath();
        if (file != null) {
            Thread keeper = new Thread(() -> counts.keepFile(file), "count-file");
            keeper.setDaemon(true);
            keeper.start();
        }
        System.out.println("LISTENING " + address);
        System.out.flush();

        stop.await();
        // Unregisters, sends READONLY, waits for the consumers, closes.
        DubboBootstrap.getInstance().destroy();
        if (file != null) {
            counts.writeFile(file, "");
        }
        System.out.println(counts.line());
        return 0;
    }

    /**
     * Serves and returns the address. Dubbo cannot report the port that the system chose for port 0, so
     * a free one is looked for first; should another process be faster, Dubbo fails.
     */
    private String export(Counts counts) throws IOException {
        String[] listen = Dubbo.hostPort(flags.text("listen"));
        int port = Integer.parseInt(listen[1]);
        if (port == 0) {
            try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getByName(listen[0]))) {
                port = s.getLocalPort();
            }
        }
        HelloService hello = new HelloServiceImpl(flags.text("name"), flags.duration("delay").toMillis(), counts);
        // A bootstrap, not a bare ServiceConfig: only so do a version's defaults, such as its preferred
        // serialization, get into the provider's URL.
        DubboBootstrap.getInstance()
                .application(Dubbo.application("peer-server"))
                .registry(Dubbo.registry(flags))
                .protocol(protocol(listen[0], port))
                .service(service(hello))
                .start();
        try (Socket s = new Socket(listen[0], port)) {
            return listen[0] + ":" + port;
        }
    }

    private ProtocolConfig protocol(String host, int port) {
        ProtocolConfig p = new ProtocolConfig("dubbo", port);
        p.setHost(Dubbo.numeric(host));
        p.setThreadpool("fixed");
        p.setThreads((int) flags.number("threads"));
        p.setPayload((int) flags.number("payload"));
        p.setHeartbeat((int) flags.duration("heartbeat").toMillis());
        if (!flags.text("serialization").isEmpty()) {
            p.setSerialization(flags.text("serialization"));
        }
        Map<String, String> parameters = Dubbo.parameters(flags);
        parameters.put("payload", flags.text("payload"));
        p.setParameters(parameters);
        return p;
    }

    private ServiceConfig<HelloService> service(HelloService hello) {
        ServiceConfig<HelloService> s = new ServiceConfig<>();
        s.setInterface(HelloService.class);
        s.setRef(hello);
        if (!flags.text("group").isEmpty()) {
            s.setGroup(flags.text("group"));
        }
        if (!flags.text("version").isEmpty()) {
            s.setVersion(flags.text("version"));
        }
        return s;
    }
}
