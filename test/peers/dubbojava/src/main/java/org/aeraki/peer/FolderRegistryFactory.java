package org.aeraki.peer;

import org.apache.dubbo.common.URL;
import org.apache.dubbo.registry.Registry;
import org.apache.dubbo.registry.support.AbstractRegistryFactory;

/** Makes folder:// a registry, so that consumers see providers' URLs as a registry's consumers do. */
public class FolderRegistryFactory extends AbstractRegistryFactory {
    @Override
    protected Registry createRegistry(URL url) {
        return new FolderRegistry(url);
    }
}
