package org.aeraki.peer;

import java.util.HashMap;
import java.util.Map;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.RegistryConfig;

/** The parts of Dubbo's configuration that provider and consumer share. */
final class Dubbo {
    /** What both sides accept: 4 MiB payloads and more. */
    static final int MAX_PAYLOAD = 16 << 20;

    /**
     * Attachments that a provider adds to its replies, where the versions of both sides allow any: who
     * served, and every attachment of the request whose name starts with ECHOED, as it arrived.
     */
    static final String SERVED_BY = "served-by";

    static final String ECHOED = "x-";
    static final String ECHOED_AS = "echo-x-";

    private Dubbo() {}

    static void commonFlags(Flags f) {
        f.text("group", "", "service group")
                .text("version", "", "service version")
                .text("serialization", "", "hessian2, fastjson2, java, ...; empty: what the library chooses")
                .text("registry", "", "folder that stands for a registry")
                .text("heartbeat", "60s", "heartbeat interval")
                .text("param", "", "KEY=VALUE for the library's URL, repeatable")
                .bool("verbose", "write the library's log to the standard error output");
    }

    /** Settings that keep a test's process to itself. Before anything else of Dubbo. */
    static void prepare(Flags f) {
        Main.quiet(f.bool("verbose"));
        System.setProperty("dubbo.application.qos.enable", "false");
        System.setProperty("dubbo.application.qos-enable", "false");
        // Dubbo 3 would first look for applications instead of interfaces in a registry.
        System.setProperty("dubbo.application.migration.step", "FORCE_INTERFACE");
        System.setProperty("dubbo.application.service-discovery.migration", "FORCE_INTERFACE");
        System.setProperty("dubbo.application.register-mode", "interface");
    }

    static ApplicationConfig application(String name) {
        ApplicationConfig a = new ApplicationConfig(name);
        a.setQosEnable(false);
        return a;
    }

    static RegistryConfig registry(Flags f) {
        if (f.text("registry").isEmpty()) {
            return new RegistryConfig("N/A");
        }
        RegistryConfig r = new RegistryConfig("folder://" + LOOPBACK + ":1");
        Map<String, String> p = new HashMap<>();
        p.put(FolderRegistry.FOLDER, f.text("registry"));
        p.put("file.cache", "false");
        p.put("register-mode", "interface");
        r.setParameters(p);
        return r;
    }

    /** Dubbo takes 127.0.0.1 and localhost for a mistake and uses an outer address instead; a number passes. */
    static final String LOOPBACK = "2130706433";

    static String numeric(String host) {
        return host.startsWith("127.") || host.equals("localhost") ? LOOPBACK : host;
    }

    /** The URL parameters of -param, -heartbeat and -serialization. */
    static Map<String, String> parameters(Flags f) {
        Map<String, String> p = new HashMap<>();
        p.put("heartbeat", Long.toString(f.duration("heartbeat").toMillis()));
        // The second argument of listen is a callback. Consumers with a direct reference ignore an
        // ArgumentConfig, so both sides say it by the parameter that it would become; Dubbo 3 looks at
        // it only where the method has a parameter of the common form, too.
        p.put("listen.1.callback", "true");
        p.put("listen.retries", "0");
        p.put("callbacks", "1000");
        p.put("payload", Integer.toString(MAX_PAYLOAD));
        if (!f.text("serialization").isEmpty()) {
            p.put("serialization", f.text("serialization"));
            p.put("prefer.serialization", f.text("serialization"));
        }
        for (String kv : f.all("param")) {
            String[] parts = kv.split("=", 2);
            p.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        return p;
    }

    static MethodConfig oneway(String method) {
        MethodConfig m = new MethodConfig();
        m.setName(method);
        m.setReturn(false);
        m.setSent(true);
        return m;
    }

    static String[] hostPort(String s) {
        int colon = s.lastIndexOf(':');
        if (colon < 0) {
            throw new Flags.UsageException("want HOST:PORT: " + s);
        }
        return new String[] {s.substring(0, colon), s.substring(colon + 1)};
    }
}
